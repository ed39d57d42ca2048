//! Files over there, by the protocol of `scp -t`: each file is announced, sent and confirmed.

use std::ffi::OsStr;
use std::path::Path;

use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::AsyncRead;

use super::Session;

impl Session {
    /// Writes a file. `path` is the remote path; its folder must be there.
    pub async fn upload(&self, path: &str, content: &[u8]) -> Result<(), String> {
        let (folder, name) = split(path);
        let mut transfer = self.transfer("-vt", folder).await?;
        transfer.file(name, content.len() as u64, content).await?;
        transfer.finish().await
    }

    /// Writes a file or a folder of this machine there.
    pub async fn upload_path(&self, destination: &str, source: &str) -> Result<(), String> {
        let about = tokio::fs::metadata(source).await.map_err(|error| crate::words::of_path("stat", source, &error))?;
        let path = Path::new(source);
        if !about.is_dir() {
            let (folder, name) = split(destination);
            let mut transfer = self.transfer("-vt", folder).await.map_err(upload_failed)?;
            transfer.local_file(name, path).await.map_err(upload_failed)?;
            return transfer.finish().await.map_err(upload_failed);
        }
        let mut transfer = self.transfer("-rvt", destination).await.map_err(upload_failed)?;
        let sent = async {
            if source.ends_with('/') {
                return transfer.contents(path).await;
            }
            // Without a slash at its end the folder itself is copied.
            let absolute = std::path::absolute(path).map_err(|error| error.to_string())?;
            let name = absolute.file_name().unwrap_or(OsStr::new("."));
            transfer.folder(&name.to_string_lossy(), path).await
        };
        sent.await.map_err(upload_failed)?;
        transfer.finish().await.map_err(upload_failed)
    }

    async fn transfer(&self, flags: &str, target: &str) -> Result<Transfer, String> {
        let channel = self.channel().await?;
        let command = match self.windows {
            true => format!("scp {flags} {}", quoted_for_windows(target)),
            false => format!("scp {flags} {}", quoted_for_shell(target)),
        };
        channel.exec(true, command).await.map_err(|error| error.to_string())?;
        let (reader, writer) = channel.split();
        let mut transfer = Transfer { reader, writer, received: Vec::new(), status: None };
        transfer.confirmation().await?;
        Ok(transfer)
    }
}

fn upload_failed(problem: String) -> String {
    format!("Upload failed: {problem}")
}

/// Folder and name of a remote path.
fn split(path: &str) -> (&str, &str) {
    let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
    match path.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some((folder, name)) => (folder, name),
        None => (".", path),
    }
}

/// Quotes for a POSIX shell.
fn quoted_for_shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Quotes as Windows programs split their command lines: backslashes count double in front of a quote.
fn quoted_for_windows(text: &str) -> String {
    let mut quoted = String::from("\"");
    let mut backslashes = 0;
    for c in text.chars() {
        match c {
            '\\' => backslashes += 1,
            '"' => {
                quoted.extend(std::iter::repeat_n('\\', 2 * backslashes + 1));
                backslashes = 0;
            }
            _ => {
                quoted.extend(std::iter::repeat_n('\\', backslashes));
                backslashes = 0;
            }
        }
        if c != '\\' {
            quoted.push(c);
        }
    }
    quoted.extend(std::iter::repeat_n('\\', 2 * backslashes));
    quoted.push('"');
    quoted
}

/// A running `scp -t`.
struct Transfer {
    reader: ChannelReadHalf,
    writer: ChannelWriteHalf<Msg>,
    received: Vec<u8>,
    status: Option<u32>,
}

impl Transfer {
    async fn local_file(&mut self, name: &str, path: &Path) -> Result<(), String> {
        let problem = |error: std::io::Error| crate::words::of_path("open", &path.to_string_lossy(), &error);
        let about = tokio::fs::metadata(path).await.map_err(problem)?;
        if !about.is_file() {
            // A pipe or a device: nobody knows its length beforehand.
            let content = tokio::fs::read(path).await.map_err(problem)?;
            return self.file(name, content.len() as u64, content.as_slice()).await;
        }
        let file = tokio::fs::File::open(path).await.map_err(problem)?;
        // What grows meanwhile is cut, or the other side would take it for the next message.
        let content = tokio::io::AsyncReadExt::take(file, about.len());
        self.file(name, about.len(), content).await
    }

    async fn file(&mut self, name: &str, size: u64, content: impl AsyncRead + Unpin) -> Result<(), String> {
        self.announce(&format!("C0644 {size} {name}\n")).await?;
        self.writer.data(content).await.map_err(|error| error.to_string())?;
        self.announce("\0").await
    }

    async fn folder(&mut self, name: &str, path: &Path) -> Result<(), String> {
        self.announce(&format!("D0755 0 {name}\n")).await?;
        Box::pin(self.contents(path)).await?;
        self.announce("E\n").await
    }

    async fn contents(&mut self, folder: &Path) -> Result<(), String> {
        let problem = |error: std::io::Error| crate::words::of_path("open", &folder.to_string_lossy(), &error);
        let mut entries = tokio::fs::read_dir(folder).await.map_err(problem)?;
        let mut paths = Vec::new();
        while let Some(entry) = entries.next_entry().await.map_err(problem)? {
            paths.push(entry.path());
        }
        paths.sort();
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // Links are followed: what they lead to is copied.
            let about = tokio::fs::metadata(&path).await;
            let about = about.map_err(|error| crate::words::of_path("stat", &path.to_string_lossy(), &error))?;
            match about.is_dir() {
                true => self.folder(&name, &path).await?,
                false => self.local_file(&name, &path).await?,
            }
        }
        Ok(())
    }

    async fn announce(&mut self, message: &str) -> Result<(), String> {
        let sent = self.writer.data(message.as_bytes()).await;
        // A server that has given up says why before it goes.
        self.confirmation().await?;
        sent.map_err(|error| error.to_string())
    }

    /// Waits for a zero byte; anything else is a line about what went wrong.
    async fn confirmation(&mut self) -> Result<(), String> {
        loop {
            match self.received.first() {
                Some(0) => {
                    self.received.remove(0);
                    return Ok(());
                }
                Some(_) if self.received.contains(&b'\n') => {
                    let text = String::from_utf8_lossy(&self.received);
                    return Err(text
                        .lines()
                        .next()
                        .unwrap_or_default()
                        .trim_start_matches(['\u{1}', '\u{2}'])
                        .to_owned());
                }
                _ => {}
            }
            if !self.receive().await {
                return Err(match self.status {
                    Some(127) => "SCP failed to start. This usually means that SCP is not\nproperly installed on the \
                                  remote system."
                        .to_owned(),
                    Some(status) => format!("Process exited with status {status}"),
                    None => "the connection ended".to_owned(),
                });
            }
        }
    }

    /// Takes a message; false at the end.
    async fn receive(&mut self) -> bool {
        match self.reader.wait().await {
            Some(ChannelMsg::Data { data }) => self.received.extend_from_slice(&data),
            Some(ChannelMsg::ExitStatus { exit_status }) => self.status = Some(exit_status),
            Some(ChannelMsg::Failure) | None => return false,
            // What it says on stderr is about each file it takes.
            Some(_) => {}
        }
        true
    }

    async fn finish(mut self) -> Result<(), String> {
        self.writer.eof().await.map_err(|error| error.to_string())?;
        while self.receive().await {}
        match self.status {
            Some(0) => Ok(()),
            Some(status) => Err(format!("Process exited with status {status}")),
            None => Err("the connection ended".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remote_paths_are_split_as_go_splits_them() {
        assert_eq!(split("/tmp/a"), ("/tmp", "a"));
        assert_eq!(split("/a"), ("/", "a"));
        assert_eq!(split("a"), (".", "a"));
        assert_eq!(split("a/b/"), ("a", "b"));
        assert_eq!(split("C:/x/y.cmd"), ("C:/x", "y.cmd"));
    }

    #[test]
    fn paths_reach_the_program_as_they_are() {
        assert_eq!(quoted_for_shell("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quoted_for_windows(r#"C:\a b\"c\"#), r#""C:\a b\\\"c\\""#);
    }
}
