//! A proxy between the tool under test and the emulator: it records every API call, and injects faults.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::{HarnessError, victim, wire};

/// One API call as it went over the wire, a retry being a call of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The service's signing name, such as `ec2`.
    pub service: String,
    /// The action, such as `DescribeVpcs`.
    pub action: String,
    /// The attribute that it asks for, where the API has one attribute per call, such as `enableDnsSupport`.
    pub attribute: Option<String>,
    /// Whether it asks for a further page of an earlier answer.
    pub next_page: bool,
}

impl Call {
    /// Whether the call only looks.
    pub fn is_read(&self) -> bool {
        ["Describe", "Get", "List", "Lookup", "Batch", "Assume"].iter().any(|verb| self.action.starts_with(verb))
    }

    /// Whether the call changes something.
    pub fn is_mutation(&self) -> bool {
        !self.is_read()
    }
}

/// What happens to a call that a rule matches.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The call is held up, then goes its way.
    Delay(Duration),
    /// The call is held up until [`Proxy::release`].
    Hold,
    /// The connection closes, and the emulator never sees the call.
    DropBefore,
    /// The emulator acts, and the connection closes instead of the answer.
    DropAfter,
    /// The emulator never sees the call; this answer comes back.
    Answer {
        /// HTTP status.
        status: u16,
        /// AWS error code, such as `Throttling`; put into the error document that the service's protocol has.
        code: &'static str,
        /// Text for people.
        message: &'static str,
    },
    /// The victim gets SIGKILL, and the emulator never sees the call.
    KillBefore,
    /// The emulator acts, and the victim gets SIGKILL instead of the answer.
    KillAfter,
    /// The victim gets the answer, and SIGKILL so much later.
    KillAnswered(Duration),
}

impl Fault {
    /// The answer to too many requests.
    pub fn throttle() -> Fault {
        Fault::Answer { status: 400, code: "ThrottlingException", message: "Rate exceeded" }
    }

    /// The answer to credentials whose time has passed.
    pub fn expired_credentials() -> Fault {
        Fault::Answer {
            status: 403,
            code: "ExpiredToken",
            message: "The security token included in the request is expired",
        }
    }
}

type Predicate = Box<dyn Fn(&Call) -> bool + Send + Sync>;

/// Which calls get which fault.
pub struct Rule {
    matches: Predicate,
    /// Matching calls to let pass first.
    skip: usize,
    /// Matching calls to hit after those.
    take: usize,
    fault: Fault,
}

impl Rule {
    /// Hits every call that the predicate accepts.
    pub fn every(matches: impl Fn(&Call) -> bool + Send + Sync + 'static, fault: Fault) -> Rule {
        Rule { matches: Box::new(matches), skip: 0, take: usize::MAX, fault }
    }

    /// Hits only the `n`-th call (from 1) that the predicate accepts.
    pub fn nth(n: usize, matches: impl Fn(&Call) -> bool + Send + Sync + 'static, fault: Fault) -> Rule {
        Rule { matches: Box::new(matches), skip: n.saturating_sub(1), take: 1, fault }
    }
}

#[derive(Default)]
struct Record {
    calls: Vec<Call>,
    rules: Vec<Rule>,
}

struct Shared {
    upstream: String,
    record: Mutex<Record>,
    victim: watch::Sender<Option<u32>>,
    /// Number of calls so far, for those who wait for one.
    arrivals: watch::Sender<usize>,
    released: watch::Sender<bool>,
    /// Calls that the emulator has not answered yet.
    in_flight: watch::Sender<usize>,
}

/// A running proxy. Its task ends with this value.
pub struct Proxy {
    endpoint: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Starts a proxy on a free port of the loopback interface, in front of `upstream`.
    pub fn start(upstream: &str) -> Result<Proxy, HarnessError> {
        let failed = |reason: String| HarnessError::Request { request: "proxy".to_owned(), reason };
        let upstream = wire::authority(upstream).map_err(failed)?.to_owned();
        let shared = Arc::new(Shared {
            upstream,
            record: Mutex::new(Record::default()),
            victim: watch::Sender::new(None),
            arrivals: watch::Sender::new(0),
            released: watch::Sender::new(false),
            in_flight: watch::Sender::new(0),
        });
        let runtime = wire::runtime().map_err(failed)?;
        let listener =
            runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).map_err(|error| failed(error.to_string()))?;
        let port = listener.local_addr().map_err(|error| failed(error.to_string()))?.port();
        let task = runtime.spawn(serve(listener, Arc::clone(&shared)));
        Ok(Proxy { endpoint: format!("http://127.0.0.1:{port}"), shared, task })
    }

    /// Where it listens.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Adds a rule. Of several rules that hit a call the first one counts.
    pub fn inject(&self, rule: Rule) {
        self.shared.record().rules.push(rule);
    }

    /// Names the process for [`Fault::KillBefore`] and its like. A call that would kill before one is named
    /// waits for the name.
    pub fn set_victim(&self, process_id: u32) {
        self.shared.victim.send_replace(Some(process_id));
    }

    /// The calls since the start or the last [`Proxy::reset`], in the order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.record().calls.clone()
    }

    /// Waits until a call has arrived that the predicate accepts. Fails after `limit`, so that a tool that never calls
    /// doesn't hang the test.
    pub fn wait_for(&self, matches: impl Fn(&Call) -> bool, limit: Duration) -> Result<(), HarnessError> {
        let failed = |reason: String| HarnessError::Request { request: "proxy".to_owned(), reason };
        let mut arrivals = self.shared.arrivals.subscribe();
        let arrived = async {
            // the sender lives as long as this proxy
            let _ = arrivals.wait_for(|_| self.shared.record().calls.iter().any(&matches)).await;
        };
        let runtime = wire::runtime().map_err(failed)?;
        runtime
            .block_on(async { tokio::time::timeout(limit, arrived).await })
            .map_err(|_| failed(format!("no such call within {limit:?}")))
    }

    /// Waits until the emulator has answered everything: it goes on with the calls of a client that was killed.
    pub fn wait_until_idle(&self) -> Result<(), HarnessError> {
        let runtime =
            wire::runtime().map_err(|reason| HarnessError::Request { request: "proxy".to_owned(), reason })?;
        let mut in_flight = self.shared.in_flight.subscribe();
        // the sender lives as long as this proxy
        let _ = runtime.block_on(in_flight.wait_for(|count| *count == 0));
        Ok(())
    }

    /// Lets the calls go that [`Fault::Hold`] holds up, and all later ones.
    pub fn release(&self) {
        self.shared.released.send_replace(true);
    }

    /// Forgets calls, rules and victim.
    pub fn reset(&self) {
        *self.shared.record() = Record::default();
        self.shared.victim.send_replace(None);
        self.shared.released.send_replace(false);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a call and says which fault it gets.
    fn note(&self, call: &Call) -> Option<Fault> {
        let mut record = self.record();
        record.calls.push(call.clone());
        let mut hit = None;
        for rule in record.rules.iter_mut().filter(|rule| (rule.matches)(call)) {
            if rule.skip > 0 {
                rule.skip -= 1;
            } else if rule.take > 0 && hit.is_none() {
                rule.take -= 1;
                hit = Some(rule.fault.clone());
            }
        }
        hit
    }

    async fn kill(&self) {
        let mut victim = self.victim.subscribe();
        let Ok(process_id) = victim.wait_for(Option::is_some).await else { return };
        if let Some(id) = *process_id {
            victim::kill(id);
        }
    }
}

/// The connection is to be closed without an answer.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("cut by a fault")
    }
}

impl std::error::Error for Cut {}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    // Connections end with the listener: the tasks are children of this set.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&shared), request));
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // a connection that ends with an error was cut by a fault, or by a client that was killed
            let _ = connection.await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Cut> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    let call = identify(parts.method.as_str(), parts.uri.path(), parts.uri.query(), &parts.headers, &body);
    let fault = shared.note(&call);
    shared.arrivals.send_modify(|count| *count += 1);
    match &fault {
        Some(Fault::Delay(time)) => tokio::time::sleep(*time).await,
        Some(Fault::Hold) => {
            let _ = shared.released.subscribe().wait_for(|released| *released).await;
        }
        Some(Fault::DropBefore) => return Err(Cut),
        Some(Fault::KillBefore) => {
            shared.kill().await;
            return Err(Cut);
        }
        Some(Fault::Answer { status, code, message }) => return error_document(&call, *status, code, message),
        Some(Fault::DropAfter | Fault::KillAfter | Fault::KillAnswered(_)) | None => {}
    }
    let request = Request::from_parts(parts, Full::new(body));
    let sending = Arc::clone(&shared);
    sending.in_flight.send_modify(|count| *count += 1);
    // A task of its own: what the emulator has got it does, whether or not the client is still there.
    let sent = tokio::spawn(async move {
        let response = wire::send(&sending.upstream, request).await;
        sending.in_flight.send_modify(|count| *count -= 1);
        response
    });
    let response = match sent.await.unwrap_or_else(|error| Err(error.to_string())) {
        Ok(response) => response.map(Full::new),
        Err(reason) => {
            let mut response = Response::new(Full::new(Bytes::from(reason)));
            *response.status_mut() = hyper::StatusCode::BAD_GATEWAY;
            response
        }
    };
    match fault {
        Some(Fault::DropAfter) => Err(Cut),
        Some(Fault::KillAfter) => {
            shared.kill().await;
            Err(Cut)
        }
        Some(Fault::KillAnswered(later)) => {
            tokio::spawn(async move {
                tokio::time::sleep(later).await;
                shared.kill().await;
            });
            Ok(without_hop_headers(response))
        }
        _ => Ok(without_hop_headers(response)),
    }
}

/// The body arrives whole, so the emulator's framing does not apply any more.
fn without_hop_headers(mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    for name in ["transfer-encoding", "connection", "content-length"] {
        response.headers_mut().remove(name);
    }
    response
}

fn error_document(call: &Call, status: u16, code: &str, message: &str) -> Result<Response<Full<Bytes>>, Cut> {
    let (kind, text) = match call.service.as_str() {
        "ec2" => (
            "text/xml",
            format!(
                "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>\
                 <RequestID>fault</RequestID></Response>"
            ),
        ),
        "iam" | "sts" | "elasticloadbalancing" | "autoscaling" => (
            "text/xml",
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
                 <RequestId>fault</RequestId></ErrorResponse>"
            ),
        ),
        "s3" => ("application/xml", format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>")),
        _ => ("application/json", format!("{{\"__type\":\"{code}\",\"message\":\"{message}\"}}")),
    };
    Response::builder()
        .status(status)
        .header("content-type", kind)
        .header("x-amzn-errortype", code)
        .body(Full::new(Bytes::from(text)))
        .map_err(|_| Cut)
}

/// Reads service and action from a request of any of AWS's protocols.
fn identify(method: &str, path: &str, query: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Call {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let scope = header("authorization").split("Credential=").nth(1).unwrap_or_default();
    let service = scope.split('/').nth(3).unwrap_or_default().to_owned();
    let text = String::from_utf8_lossy(body);
    let form = |name: &str| {
        let pair = text.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        pair.filter(|value| !value.is_empty()).map(str::to_owned)
    };
    if let Some((_, action)) = header("x-amz-target").rsplit_once('.') {
        let next_page = serde_json::from_slice::<serde_json::Value>(body).is_ok_and(|document| {
            ["nextToken", "NextToken", "NextMarker", "Marker"].iter().any(|name| document[name].is_string())
        });
        return Call { service, action: action.to_owned(), attribute: None, next_page };
    }
    if let Some(action) = form("Action") {
        let next_page = form("NextToken").or_else(|| form("Marker")).is_some();
        return Call { service, action, attribute: form("Attribute"), next_page };
    }
    let next_page = query.is_some_and(|query| query.contains("nextToken=") || query.contains("marker="));
    let action = if service == "eks" { eks_action(method, path) } else { format!("{method} {path}") };
    Call { service, action, attribute: None, next_page }
}

/// EKS has its actions in method and path.
fn eks_action(method: &str, path: &str) -> String {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let noun = |collection: &str| match collection {
        "clusters" => "Cluster",
        "node-groups" => "Nodegroup",
        "fargate-profiles" => "FargateProfile",
        "addons" => "Addon",
        "updates" => "Update",
        "access-entries" => "AccessEntry",
        _ => "Object",
    };
    let verb = |whole: &str, one: &str, collection: &str| match (method, whole.is_empty()) {
        ("GET", true) => format!("List{}s", noun(collection)),
        ("GET", false) => format!("Describe{}", noun(collection)),
        ("DELETE", _) => format!("Delete{}", noun(collection)),
        ("POST", true) => format!("Create{}", noun(collection)),
        _ => format!("Update{}{one}", noun(collection)),
    };
    match segments.as_slice() {
        ["tags", ..] => match method {
            "GET" => "ListTagsForResource".to_owned(),
            "DELETE" => "UntagResource".to_owned(),
            _ => "TagResource".to_owned(),
        },
        [collection] => verb("", "", collection),
        [collection, name] => verb(name, "", collection),
        [collection, name, what @ ("update-config" | "updates")] if method == "POST" => {
            verb(name, if *what == "updates" { "Version" } else { "Config" }, collection)
        }
        [_, _, collection] => verb("", "", collection),
        [_, _, collection, name] => verb(name, "", collection),
        [_, _, collection, name, "update-version"] => verb(name, "Version", collection),
        [_, _, collection, name, _] => verb(name, "Config", collection),
        _ => format!("{method} {path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(service: &str, target: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential=111122223333/20260101/eu-west-1/{service}/aws4_request, SignedHeaders=host"
        );
        headers.insert("authorization", scope.parse().unwrap());
        if let Some(target) = target {
            headers.insert("x-amz-target", target.parse().unwrap());
        }
        headers
    }

    #[test]
    fn actions_are_found_in_forms_headers_and_paths() {
        let ec2 = identify("POST", "/", None, &headers("ec2", None), b"Action=DescribeVpcs&Version=1&NextToken=x");
        assert_eq!(
            ec2,
            Call { service: "ec2".into(), action: "DescribeVpcs".into(), attribute: None, next_page: true }
        );
        let logs = identify("POST", "/", None, &headers("logs", Some("Logs_20140328.DescribeLogGroups")), b"{}");
        assert_eq!(
            logs,
            Call { service: "logs".into(), action: "DescribeLogGroups".into(), attribute: None, next_page: false }
        );
        let eks = |method, path| identify(method, path, None, &headers("eks", None), b"").action;
        assert_eq!(eks("POST", "/clusters"), "CreateCluster");
        assert_eq!(eks("GET", "/clusters"), "ListClusters");
        assert_eq!(eks("GET", "/clusters/one"), "DescribeCluster");
        assert_eq!(eks("POST", "/clusters/one/update-config"), "UpdateClusterConfig");
        assert_eq!(eks("POST", "/clusters/one/updates"), "UpdateClusterVersion");
        assert_eq!(eks("GET", "/clusters/one/node-groups"), "ListNodegroups");
        assert_eq!(eks("POST", "/clusters/one/node-groups"), "CreateNodegroup");
        assert_eq!(eks("DELETE", "/clusters/one/node-groups/a"), "DeleteNodegroup");
        assert_eq!(eks("POST", "/clusters/one/node-groups/a/update-config"), "UpdateNodegroupConfig");
        assert_eq!(eks("POST", "/tags/arn"), "TagResource");
    }
}
