//! `TF_LOG` and its like: what the program does, for whoever looks for a fault.
//!
//! Only events of this program's own crates are written, and none of them holds a value of the configuration. The cloud SDKs tell of
//! requests with their headers, in which there are tokens.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::Mutex;

use serde_json::{Map, Value as Json};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::io::{Environment, reason};

/// The crates that `TF_LOG_PROVIDER` is about.
const PROVIDERS: [&str; 4] = ["aws_session", "provider_aws", "provider_utility", "sdk"];

/// All others of this program, which `TF_LOG_CORE` is about.
const CORE: [&str; 11] = [
    "config",
    "fetch",
    "lang",
    "net",
    "planner",
    "provisioners",
    "state",
    "state_encryption",
    "state_gcs",
    "state_s3",
    "windlass",
];

/// What is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Levels {
    core: LevelFilter,
    providers: LevelFilter,
    json: bool,
}

impl Levels {
    /// As the environment asks for it, with warnings of levels that there are not.
    fn of(environment: &Environment) -> (Levels, Vec<String>) {
        let mut warnings = Vec::new();
        let mut level = |name: &str| {
            let text = environment.get(name)?.to_uppercase();
            let known = [
                ("TRACE", LevelFilter::TRACE),
                ("JSON", LevelFilter::TRACE),
                ("DEBUG", LevelFilter::DEBUG),
                ("INFO", LevelFilter::INFO),
                ("WARN", LevelFilter::WARN),
                ("ERROR", LevelFilter::ERROR),
                ("OFF", LevelFilter::OFF),
            ];
            let found = known.iter().find(|(known, _)| *known == text).map(|(_, level)| *level);
            Some(found.unwrap_or_else(|| {
                warnings.push(format!(
                    "[WARN] Invalid log level: {text:?}. Defaulting to level: TRACE. Valid levels are: [TRACE DEBUG INFO WARN \
                     ERROR OFF]"
                ));
                LevelFilter::TRACE
            }))
        };
        let all = level("TF_LOG");
        let mut part = |name: &str| level(name).or(all).unwrap_or(LevelFilter::OFF);
        let (core, providers) = (part("TF_LOG_CORE"), part("TF_LOG_PROVIDER"));
        let json = environment.get("TF_LOG").is_some_and(|text| text.eq_ignore_ascii_case("json"));
        (Levels { core, providers, json }, warnings)
    }

    /// Up to which level a module is heard.
    fn of_target(self, target: &str) -> LevelFilter {
        let name = target.split("::").next().unwrap_or_default();
        if PROVIDERS.contains(&name) {
            self.providers
        } else if CORE.contains(&name) {
            self.core
        } else {
            LevelFilter::OFF
        }
    }
}

/// Lets the process write a log if the environment asks for one: to standard error, or to the end of the file that `TF_LOG_PATH`
/// names. Returns what is to be said of the settings.
pub fn start(environment: &Environment) -> Vec<String> {
    let (levels, mut warnings) = Levels::of(environment);
    if levels.core == LevelFilter::OFF && levels.providers == LevelFilter::OFF {
        return warnings;
    }
    let mut sink: Box<dyn Write + Send> = Box::new(std::io::stderr());
    if let Some(path) = environment.get("TF_LOG_PATH") {
        match OpenOptions::new().append(true).create(true).open(path) {
            Ok(file) => sink = Box::new(file),
            Err(error) => warnings.push(format!("Error opening log file: open {path}: {}", reason(&error))),
        }
    }
    let subscriber = Registry::default().with(Log { levels, sink: Mutex::new(sink) });
    // Fails where a log is written already, as in a second run within one process.
    let _ = tracing::subscriber::set_global_default(subscriber);
    warnings
}

/// Writes events as lines.
struct Log {
    levels: Levels,
    sink: Mutex<Box<dyn Write + Send>>,
}

impl<S: Subscriber> Layer<S> for Log {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        !metadata.is_span() && *metadata.level() <= self.levels.of_target(metadata.target())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.levels.core.max(self.levels.providers))
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = fields.line(*event.metadata().level(), self.levels.json, jiff::Timestamp::now());
        let mut sink = self.sink.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        // A log that can't be written is no reason to fail.
        let _ = sink.write_all(line.as_bytes());
    }
}

/// What an event holds.
#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, String)>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => self.others.push((name, format!("{value:?}"))),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.others.push((field.name(), value.to_owned()));
    }
}

impl Fields {
    /// As Terraform writes them.
    fn line(self, level: Level, json: bool, time: jiff::Timestamp) -> String {
        if json {
            let pairs = [
                ("@level", level.as_str().to_lowercase()),
                ("@message", self.message),
                ("@timestamp", format!("{time:.6}")),
            ];
            let all: Map<String, Json> =
                pairs.into_iter().chain(self.others).map(|(name, value)| (name.to_owned(), value.into())).collect();
            return format!("{}\n", Json::Object(all));
        }
        let mut line = format!("{time:.3} {:8}{}", format!("[{level}]"), self.message);
        if !self.others.is_empty() {
            line.push(':');
        }
        for (name, value) in self.others {
            // Writing to a string does not fail.
            let _ = match value.contains([' ', '"']) {
                true => write!(line, " {name}={value:?}"),
                false => write!(line, " {name}={value}"),
            };
        }
        line.push('\n');
        line
    }
}

/// Arguments without the values of variables and backends, which may be secrets.
pub fn public_arguments(arguments: &[String]) -> Vec<String> {
    let mut hidden = false;
    let shown = |argument: &String| {
        if std::mem::take(&mut hidden) {
            return "(hidden)".to_owned();
        }
        let name = argument.trim_start_matches('-');
        for option in ["var", "backend-config"] {
            if !argument.starts_with('-') {
                break;
            }
            if name == option {
                hidden = true;
            } else if let Some(value) = name.strip_prefix(option).and_then(|rest| rest.strip_prefix('=')) {
                let key = value.split('=').next().unwrap_or_default();
                return format!("-{option}={key}=(hidden)");
            }
        }
        argument.clone()
    };
    arguments.iter().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(variables: &[(&str, &str)]) -> (Levels, Vec<String>) {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Levels::of(&Environment { variables, ..Environment::default() })
    }

    #[test]
    fn parts_have_levels_of_their_own() {
        let (info, trace, off) = (LevelFilter::INFO, LevelFilter::TRACE, LevelFilter::OFF);
        assert_eq!(levels(&[("TF_LOG", "info")]).0, Levels { core: info, providers: info, json: false });
        assert_eq!(levels(&[("TF_LOG_PROVIDER", "info")]).0, Levels { core: off, providers: info, json: false });
        assert_eq!(
            levels(&[("TF_LOG", "JSON"), ("TF_LOG_CORE", "off")]).0,
            Levels { core: off, providers: trace, json: true }
        );
        let (found, warnings) = levels(&[("TF_LOG", "loud")]);
        assert_eq!((found.core, warnings.len()), (trace, 1));
        assert_eq!(found.of_target("planner::walk"), trace);
        assert_eq!(found.of_target("aws_runtime::auth"), off);
    }

    #[test]
    fn lines_are_those_of_terraform() {
        let time: jiff::Timestamp = "2026-01-02T03:04:05.678901Z".parse().unwrap();
        let fields = || Fields { message: "done".to_owned(), others: vec![("status", "a b".to_owned())] };
        assert_eq!(fields().line(Level::INFO, false, time), "2026-01-02T03:04:05.678Z [INFO]  done: status=\"a b\"\n");
        assert_eq!(
            fields().line(Level::DEBUG, true, time),
            "{\"@level\":\"debug\",\"@message\":\"done\",\"@timestamp\":\"2026-01-02T03:04:05.678901Z\",\"status\":\"a b\"}\n"
        );
    }

    #[test]
    fn values_of_variables_are_not_shown() {
        let arguments =
            ["plan", "-var", "a=secret", "-var=b=secret", "--backend-config=c=secret", "-var-file=x", "-out=p"];
        let shown = public_arguments(&arguments.map(str::to_owned));
        assert_eq!(
            shown,
            ["plan", "-var", "(hidden)", "-var=b=(hidden)", "-backend-config=c=(hidden)", "-var-file=x", "-out=p"]
        );
    }
}
