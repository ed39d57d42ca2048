//! A server of PostgreSQL, from the machine's programs.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use crate::HarnessError;

/// Where distributions put the programs.
const FOLDERS: &[&str] = &[
    "/usr/lib/postgresql/17/bin",
    "/usr/lib/postgresql/16/bin",
    "/usr/lib/postgresql/15/bin",
    "/usr/local/bin",
    "/usr/bin",
];

/// A server in a folder of its own, which ends with this value.
#[derive(Debug)]
pub struct Postgres {
    process: Child,
    /// Where it listens on loopback.
    pub port: u16,
    // open, so that the server can go on telling
    _log: BufReader<ChildStderr>,
    _folder: tempfile::TempDir,
}

impl Postgres {
    /// Starts one. `None`, with a message, where its programs are not installed or cannot be run.
    pub fn start() -> Result<Option<Postgres>, HarnessError> {
        Postgres::start_with(|_| Ok(Vec::new()))
    }

    /// Starts one with settings (`ssl=on`); `prepare` makes the files in its data folder that they need.
    pub fn start_with(
        prepare: impl FnOnce(&Path) -> Result<Vec<String>, HarnessError>,
    ) -> Result<Option<Postgres>, HarnessError> {
        let Some(programs) = FOLDERS.iter().map(PathBuf::from).find(|folder| folder.join("initdb").exists()) else {
            eprintln!("skipped: no PostgreSQL");
            return Ok(None);
        };
        let folder = tempfile::tempdir().map_err(HarnessError::file(std::env::temp_dir()))?;
        let data = folder.path().join("data");
        std::fs::create_dir(&data).map_err(HarnessError::file(&data))?;
        // The server refuses to run as root.
        let is_root = rustix::process::geteuid().is_root();
        if is_root {
            let readable = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(folder.path(), readable).map_err(HarnessError::file(folder.path()))?;
            give_away(&data)?;
        }
        let command = |name: &str| {
            let program = programs.join(name);
            let mut command = match is_root {
                true => {
                    let mut command = Command::new("setpriv");
                    command.args(["--reuid=nobody", "--clear-groups"]).arg(program);
                    command
                }
                false => Command::new(program),
            };
            command.current_dir("/").env("LC_ALL", "C").stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        let made = command("initdb").args(["-A", "trust", "-U", "postgres", "-N", "-D"]).arg(&data).status();
        if !made.is_ok_and(|status| status.success()) {
            eprintln!("skipped: initdb failed");
            return Ok(None);
        }
        let settings = prepare(&data)?;
        if is_root {
            give_away(&data)?;
        }
        let port = free_port().map_err(HarnessError::run("postgres"))?;
        let mut server = command("postgres");
        server.arg("-D").arg(&data).args(["-p", &port.to_string()]);
        for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"] {
            server.args(["-c", setting]);
        }
        for setting in &settings {
            server.args(["-c", setting]);
        }
        let mut process = server.stderr(Stdio::piped()).spawn().map_err(HarnessError::run("postgres"))?;
        let Some(stderr) = process.stderr.take() else {
            return Err(HarnessError::NoEmulator { output: String::new() });
        };
        let mut log = BufReader::new(stderr);
        let mut told = String::new();
        while !told.contains("ready to accept connections") {
            if log.read_line(&mut told).map_err(HarnessError::run("postgres"))? == 0 {
                return Err(HarnessError::NoEmulator { output: told });
            }
        }
        Ok(Some(Postgres { process, port, _log: log, _folder: folder }))
    }

    /// Where it listens, such as `127.0.0.1:5432`.
    pub fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its connection string, without TLS.
    pub fn address(&self) -> String {
        connection_string(&self.authority())
    }

    /// The same for another port in front of it.
    pub fn address_at(port: u16) -> String {
        connection_string(&format!("127.0.0.1:{port}"))
    }
}

/// What reaches its database by way of this address.
pub fn connection_string(authority: &str) -> String {
    format!("postgres://postgres@{authority}/postgres?sslmode=disable")
}

fn give_away(folder: &Path) -> Result<(), HarnessError> {
    let given = Command::new("chown").args(["-R", "nobody"]).arg(folder).status();
    given.map(drop).map_err(HarnessError::run("chown"))
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
