//! `local-exec`: a command on this machine.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use lang::quoting::go_quote;
use planner::provisioning::{Provision, ProvisionProblem};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};

use crate::arguments::{entries, flag, text, texts};
use crate::words::lowered;

/// How much of the output's end a problem repeats.
const REPEATED_OUTPUT: usize = 8 * 1024;

/// Runs the command to its end.
pub async fn run(provision: &Provision<'_>) -> Result<(), ProvisionProblem> {
    let command = text(provision.config, "command").unwrap_or_default();
    if command.is_empty() {
        let detail = "The command must be a non-empty string.";
        return Err(ProvisionProblem::new("Invalid local-exec provisioner command", detail));
    }
    let mut words = texts(provision.config, "interpreter");
    if words.is_empty() {
        words = vec!["/bin/sh".to_owned(), "-c".to_owned()];
    }
    words.push(command.to_owned());
    let announcement = match flag(provision.config, "quiet") {
        true => "local-exec: Executing: Suppressed by quiet=true".to_owned(),
        false => format!("Executing: {}", quoted_list(&words)),
    };
    (provision.output)(&announcement);
    let mut output = Tail::default();
    let problem = match execute(provision, &words, &mut output).await {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) => described(status),
        Err(problem) => problem,
    };
    // What a command with a secret in it prints may hold the secret as well.
    let detail = match provision.secret {
        true => format!("Error running command: {problem}. (command and output hidden: they may hold a secret value)"),
        false => format!("Error running command '{command}': {problem}. Output: {}", output.0),
    };
    Err(ProvisionProblem::new("local-exec provisioner error", detail))
}

/// A list as Go prints it: `["a" "b"]`.
fn quoted_list(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| go_quote(text)).collect();
    format!("[{}]", quoted.join(" "))
}

/// The end of what a command printed.
#[derive(Default)]
struct Tail(String);

impl Tail {
    fn add(&mut self, line: &str) {
        self.0.push_str(line);
        let surplus = self.0.len().saturating_sub(REPEATED_OUTPUT);
        if let Some(start) = (surplus..self.0.len()).find(|at| self.0.is_char_boundary(*at)).filter(|_| surplus > 0) {
            self.0.drain(..start);
        }
    }
}

async fn execute(provision: &Provision<'_>, words: &[String], tail: &mut Tail) -> Result<ExitStatus, String> {
    let directory = text(provision.config, "working_dir").filter(|directory| !directory.is_empty());
    if let Some(directory) = directory.filter(|directory| !Path::new(directory).is_dir()) {
        return Err(format!("chdir {directory}: no such file or directory"));
    }
    let (program, arguments) = words.split_first().ok_or("there is nothing to run")?;
    let (reader, writer) = io::pipe().map_err(|error| format!("pipe: {}", lowered(&error)))?;
    let started = writer.try_clone().and_then(|second| {
        let mut command = Command::new(program);
        command.args(arguments).envs(entries(provision.config, "environment"));
        // A group of its own, so that an interrupt reaches whatever the command has started.
        command.stdin(Stdio::null()).stdout(writer).stderr(second).process_group(0).kill_on_drop(true);
        if let Some(directory) = directory {
            command.current_dir(directory);
        }
        // `command` holds the writing ends and goes here: the reader comes to its end when the last child does.
        command.spawn()
    });
    let mut child = started.map_err(|error| format!("fork/exec {program}: {}", lowered(&error)))?;
    let finished = async {
        let read = copy(reader, provision, tail).await;
        (read, child.wait().await)
    };
    let ended = tokio::select! {
        ended = finished => Some(ended),
        () = provision.interrupt.requested() => None,
    };
    match ended {
        Some((read, status)) => {
            read.map_err(|error| format!("reading its output: {error}"))?;
            status.map_err(|error| format!("wait: {error}"))
        }
        None => kill(&mut child).await.map_err(|error| format!("kill: {error}")),
    }
}

/// Passes on what the command prints, until it and its children have closed their ends.
async fn copy(reader: io::PipeReader, provision: &Provision<'_>, tail: &mut Tail) -> io::Result<()> {
    let mut lines = BufReader::new(Receiver::from_owned_fd(reader.into())?);
    let mut line = Vec::new();
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let line = String::from_utf8_lossy(&line);
        (provision.output)(&line);
        tail.add(&line);
    }
}

async fn kill(child: &mut Child) -> io::Result<ExitStatus> {
    let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(group) = group {
        // It may have come to its end by itself.
        let _ = kill_process_group(group, Signal::KILL);
    }
    child.wait().await
}

/// How a command ended, in Go's words.
fn described(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal: {}", signal_name(signal)),
        (None, None) => status.to_string(),
    }
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        6 => "aborted",
        8 => "floating point exception",
        9 => "killed",
        11 => "segmentation fault",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use lang::Value;
    use planner::Interrupt;
    use planner::provisioning::{Provision, ProvisionProblem, Provisioners as _};

    use crate::Builtin;

    struct Ran {
        result: Result<(), ProvisionProblem>,
        lines: Vec<String>,
    }

    async fn run(arguments: &[(&str, Value)], secret: bool, interrupt: &Interrupt) -> Ran {
        let config = Value::object(arguments.iter().map(|(name, value)| (*name, value.clone())));
        let lines = Mutex::new(Vec::new());
        let output = |line: &str| {
            if let Ok(mut lines) = lines.lock() {
                lines.push(line.trim_end().to_owned());
            }
            if line.starts_with("stop now") {
                interrupt.request();
            }
        };
        let provision =
            Provision { kind: "local-exec", config: &config, connection: None, secret, output: &output, interrupt };
        let result = Builtin::default().run(provision).await;
        Ran { result, lines: lines.into_inner().unwrap_or_default() }
    }

    fn detail(ran: &Ran) -> String {
        ran.result.as_ref().err().map(|problem| problem.detail.clone()).unwrap_or_default()
    }

    #[tokio::test]
    async fn output_and_errors_come_line_by_line_in_their_order() {
        let command = Value::string("echo one; echo two >&2; printf \"$GREETING\"");
        let environment = Value::map(lang::Type::String, [("GREETING".into(), Value::string("hi"))]);
        let ran = run(&[("command", command), ("environment", environment)], false, &Interrupt::default()).await;
        assert_eq!(ran.result, Ok(()));
        assert_eq!(ran.lines[1..], ["one", "two", "hi"]);
        let announced = r#"Executing: ["/bin/sh" "-c" "echo one; echo two >&2; printf \"$GREETING\""]"#;
        assert_eq!(ran.lines[0], announced);
    }

    #[tokio::test]
    async fn a_failure_tells_the_status_and_the_output() {
        let ran = run(&[("command", Value::string("echo boo; exit 3"))], false, &Interrupt::default()).await;
        assert_eq!(detail(&ran), "Error running command 'echo boo; exit 3': exit status 3. Output: boo\n");
    }

    #[tokio::test]
    async fn a_failure_with_a_secret_tells_the_status_alone() {
        let ran = run(&[("command", Value::string("echo hush; exit 3"))], true, &Interrupt::default()).await;
        assert!(detail(&ran).contains("exit status 3") && !detail(&ran).contains("hush"));
    }

    #[tokio::test]
    async fn an_interrupt_kills_the_command_and_all_that_it_started() {
        let arguments = [("command", Value::string("echo stop now; sleep 1000 | sleep 1000"))];
        let ran = run(&arguments, false, &Interrupt::default()).await;
        assert!(detail(&ran).contains("signal: killed. Output: stop now"), "{}", detail(&ran));
    }

    #[tokio::test]
    async fn what_cannot_be_started_says_why() {
        let folder = [("command", Value::string("true")), ("working_dir", Value::string("/nonexistent"))];
        let ran = run(&folder, false, &Interrupt::default()).await;
        assert!(detail(&ran).contains("chdir /nonexistent: no such file or directory"));
        let interpreter = Value::list(lang::Type::String, vec![Value::string("/nonexistent")]);
        let ran =
            run(&[("command", Value::string("x")), ("interpreter", interpreter)], false, &Interrupt::default()).await;
        assert!(detail(&ran).contains("fork/exec /nonexistent: no such file or directory"), "{}", detail(&ran));
        assert!(run(&[("command", Value::string(""))], false, &Interrupt::default()).await.result.is_err());
    }
}
