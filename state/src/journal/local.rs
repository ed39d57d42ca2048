//! The journal of a local state: a file of lines, each a checksum and a JSON object, appended and synced.
//!
//! Where the state is encrypted, each line's JSON object is encrypted as a file of its own.
//!
//! Records that arrive while a sync is under way are written and synced together by the next one (group commit), so
//! that a hundred parallel creations cost a few syncs, not a hundred.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Intent, IntentId, Journal, JournalError, JournalRecord, Operation, Outcome};
use crate::codec::{Codec, SealError};
use crate::files;
use crate::json::Json;
use crate::model::{Dependencies, DeposedKey, InstanceObject, Lineage, Serial};
use crate::v4;

const FORMAT_VERSION: u64 = 1;

/// A journal in a file. The file is made by the first intent and removed when all are settled.
pub struct LocalJournal {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    codec: Codec,
    contents: Mutex<Contents>,
    /// Whoever writes to the file holds this; the file is open from the first write on.
    file: Arc<tokio::sync::Mutex<Option<File>>>,
}

#[derive(Default)]
struct Contents {
    records: BTreeMap<IntentId, JournalRecord>,
    next: u64,
    /// Lines that are not in the file yet.
    buffer: Vec<u8>,
    /// How many lines were ever put into the buffer, and how many of them are durable.
    appended: u64,
    durable: u64,
    /// After a failed write nobody knows what the file holds: nothing more is accepted.
    broken: Option<JournalError>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Header {
        version: u64,
    },
    Intent {
        id: u64,
        time: String,
        address: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        deposed: Option<String>,
        provider: String,
        operation: String,
        planned: serde_json::Value,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        client_token: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        dependencies: Vec<String>,
        #[serde(skip_serializing_if = "std::ops::Not::not", default)]
        create_before_destroy: bool,
        lineage: String,
        serial: u64,
    },
    HandedOver {
        id: u64,
        object: serde_json::Value,
    },
    Outcome {
        id: u64,
        result: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        object: Option<serde_json::Value>,
    },
}

impl LocalJournal {
    /// Opens the journal of an earlier run, or a new one. A last line that was cut off is dropped: nobody was told that
    /// it is durable.
    pub fn open(path: impl Into<PathBuf>) -> Result<LocalJournal, JournalError> {
        LocalJournal::open_with(path, Codec::default())
    }

    /// The same with records that are written so.
    pub fn open_with(path: impl Into<PathBuf>, codec: Codec) -> Result<LocalJournal, JournalError> {
        let path = path.into();
        let bytes = files::read(&path).map_err(io_error("read", &path))?.unwrap_or_default();
        let (contents, length) = parse(&path, &bytes, &codec)?;
        if length < bytes.len() {
            let file = OpenOptions::new().write(true).open(&path).map_err(io_error("open", &path))?;
            files::set_len(&file, &path, length as u64)
                .and_then(|()| files::sync(&file, &path))
                .map_err(io_error("truncate", &path))?;
        }
        let inner = Inner { path, codec, contents: Mutex::new(contents), file: Arc::default() };
        Ok(LocalJournal { inner: Arc::new(inner) })
    }

    /// The records that a journal's content holds.
    ///
    /// # Errors
    /// As [`LocalJournal::open`].
    pub fn parse(path: &Path, bytes: &[u8], codec: &Codec) -> Result<Vec<JournalRecord>, JournalError> {
        parse(path, bytes, codec).map(|(contents, _)| contents.records.into_values().collect())
    }

    /// Puts a line into the buffer, as `change` makes it, and waits until it is durable.
    async fn append<T>(
        &self,
        change: impl FnOnce(&mut Contents) -> Result<(Line, T), JournalError>,
    ) -> Result<T, JournalError> {
        let (ticket, value) = {
            let mut contents = self.inner.contents();
            if let Some(error) = &contents.broken {
                return Err(error.clone());
            }
            let (line, value) = change(&mut contents)?;
            let line = self.inner.encode(&line).inspect_err(|error| contents.broken = Some(error.clone()))?;
            contents.buffer.extend_from_slice(&line);
            contents.appended += 1;
            (contents.appended, value)
        };
        let file = self.inner.file.clone().lock_owned().await;
        if self.inner.contents().durable < ticket {
            let inner = self.inner.clone();
            // The guard goes along, so that a caller that gives up does not let two writers into the file.
            let flushed = tokio::task::spawn_blocking(move || {
                let mut file = file;
                inner.flush(&mut file)
            });
            flushed.await.unwrap_or(Err(JournalError::Aborted))?;
        }
        Ok(value)
    }
}

impl Inner {
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line as it is written.
    fn encode(&self, line: &Line) -> Result<Vec<u8>, JournalError> {
        let json = serde_json::to_vec(line).map_err(|error| io_error("write", &self.path)(error.into()))?;
        let json = self.codec.seal_record(&json).map_err(sealed_error("write", &self.path))?;
        Ok(with_checksum(&json))
    }

    fn all_lines<'a>(&self, records: impl Iterator<Item = &'a JournalRecord>) -> Result<Vec<u8>, JournalError> {
        let failed = |error: serde_json::Error| io_error("write", &self.path)(error.into());
        let mut all = header().map_err(failed)?;
        for record in records {
            for line in lines_of(record).map_err(failed)? {
                all.extend(self.encode(&line)?);
            }
        }
        Ok(all)
    }

    /// Writes and syncs everything that is in the buffer.
    fn flush(&self, file: &mut Option<File>) -> Result<(), JournalError> {
        let (lines, upto) = {
            let mut contents = self.contents();
            if let Some(error) = &contents.broken {
                return Err(error.clone());
            }
            (std::mem::take(&mut contents.buffer), contents.appended)
        };
        let result = self.write(file, &lines).map_err(io_error("write", &self.path));
        let mut contents = self.contents();
        match result {
            Ok(()) => contents.durable = upto,
            Err(error) => {
                contents.broken = Some(error.clone());
                return Err(error);
            }
        }
        Ok(())
    }

    fn write(&self, file: &mut Option<File>, lines: &[u8]) -> io::Result<()> {
        let path = &self.path;
        if let Some(file) = file {
            files::append(file, path, lines)?;
            return files::sync_data(file, path);
        }
        let opened = files::create(OpenOptions::new().append(true).mode(0o600), path)?;
        let new = opened.metadata()?.len() == 0;
        if new {
            files::append(&opened, path, &header()?)?;
        }
        files::append(&opened, path, lines)?;
        files::sync(&opened, path)?;
        if new {
            files::sync_folder(files::folder(&self.path))?;
        }
        *file = Some(opened);
        Ok(())
    }
}

#[async_trait]
impl Journal for LocalJournal {
    async fn intend(&self, intent: Intent) -> Result<IntentId, JournalError> {
        let path = &self.inner.path;
        self.append(|contents| {
            let id = IntentId(contents.next);
            contents.next += 1;
            let time = jiff::Timestamp::now().to_string();
            let record = JournalRecord { id, time, intent, handed_over: None, outcome: None };
            let line = intent_line(&record).map_err(|error| io_error("write", path)(error.into()))?;
            contents.records.insert(id, record);
            Ok((line, id))
        })
        .await
    }

    async fn handed_over(&self, id: IntentId, object: Arc<InstanceObject>) -> Result<(), JournalError> {
        let path = &self.inner.path;
        self.append(|contents| {
            let record = contents.records.get_mut(&id).ok_or(JournalError::Unknown(id))?;
            let line = handed_over_line(id, &object).map_err(|error| io_error("write", path)(error.into()))?;
            record.handed_over = Some(object);
            Ok((line, ()))
        })
        .await
    }

    async fn outcome(&self, id: IntentId, outcome: Outcome) -> Result<(), JournalError> {
        let path = &self.inner.path;
        self.append(|contents| {
            let record = contents.records.get_mut(&id).ok_or(JournalError::Unknown(id))?;
            let line = outcome_line(id, &outcome).map_err(|error| io_error("write", path)(error.into()))?;
            record.outcome = Some(outcome);
            Ok((line, ()))
        })
        .await
    }

    async fn records(&self) -> Result<Vec<JournalRecord>, JournalError> {
        Ok(self.inner.contents().records.values().cloned().collect())
    }

    async fn settle(&self, settled: &[IntentId]) -> Result<(), JournalError> {
        let mut file = self.inner.file.clone().lock_owned().await;
        let inner = self.inner.clone();
        let settled = settled.to_vec();
        let rewritten = tokio::task::spawn_blocking(move || {
            let mut contents = inner.contents();
            if let Some(error) = &contents.broken {
                return Err(error.clone());
            }
            let before = contents.records.len();
            contents.records.retain(|id, _| !settled.contains(id));
            if contents.records.len() == before {
                return Ok(());
            }
            // Everything that is known, the buffer's lines too, goes into a new file that takes the old one's place. The
            // lock on the contents is kept meanwhile: settling is rare, and an intent that comes now waits its turn.
            let result = if contents.records.is_empty() {
                files::remove(&inner.path).and_then(|()| files::sync_folder(files::folder(&inner.path)))
            } else {
                let lines = inner.all_lines(contents.records.values())?;
                files::replace(&inner.path, &lines)
            };
            *file = None;
            match result.map_err(io_error("rewrite", &inner.path)) {
                Ok(()) => {
                    contents.buffer.clear();
                    contents.durable = contents.appended;
                    Ok(())
                }
                Err(error) => {
                    contents.broken = Some(error.clone());
                    Err(error)
                }
            }
        });
        rewritten.await.unwrap_or(Err(JournalError::Aborted))
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io { action, path, source: Arc::new(source) }
}

fn sealed_error(action: &'static str, path: &Path) -> impl FnOnce(SealError) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Sealed { action, path, source }
}

fn intent_line(record: &JournalRecord) -> Result<Line, serde_json::Error> {
    let intent = &record.intent;
    Ok(Line::Intent {
        id: record.id.0,
        time: record.time.clone(),
        address: intent.address.to_string(),
        deposed: intent.deposed.as_ref().map(ToString::to_string),
        provider: intent.provider.to_string(),
        operation: intent.operation.as_str().to_owned(),
        planned: intent.planned.to_value()?,
        client_token: intent.client_token.clone(),
        dependencies: intent.dependencies.iter().map(ToString::to_string).collect(),
        create_before_destroy: intent.create_before_destroy,
        lineage: intent.lineage.to_string(),
        serial: intent.serial.0,
    })
}

fn handed_over_line(id: IntentId, object: &InstanceObject) -> Result<Line, serde_json::Error> {
    Ok(Line::HandedOver { id: id.0, object: v4::object_to_json(object).to_value()? })
}

fn outcome_line(id: IntentId, outcome: &Outcome) -> Result<Line, serde_json::Error> {
    let (result, object) = match outcome {
        Outcome::Object(object) => ("object", Some(v4::object_to_json(object).to_value()?)),
        Outcome::Gone => ("gone", None),
        Outcome::Failed => ("failed", None),
    };
    Ok(Line::Outcome { id: id.0, result: result.to_owned(), object })
}

/// The lines of a record.
fn lines_of(record: &JournalRecord) -> Result<Vec<Line>, serde_json::Error> {
    let mut lines = vec![intent_line(record)?];
    if let Some(object) = &record.handed_over {
        lines.push(handed_over_line(record.id, object)?);
    }
    if let Some(outcome) = &record.outcome {
        lines.push(outcome_line(record.id, outcome)?);
    }
    Ok(lines)
}

/// The first line, which is always in clear.
fn header() -> Result<Vec<u8>, serde_json::Error> {
    Ok(with_checksum(&serde_json::to_vec(&Line::Header { version: FORMAT_VERSION })?))
}

/// `CHECKSUM JSON`: the CRC-32 of the JSON in eight hexadecimal digits, and a line break.
fn with_checksum(json: &[u8]) -> Vec<u8> {
    [format!("{:08x} ", crc32fast::hash(json)).as_bytes(), json, b"\n"].concat()
}

/// The JSON of a line, if its checksum is right.
fn checked(line: &[u8]) -> Result<&[u8], String> {
    let text = std::str::from_utf8(line).map_err(|error| error.to_string())?;
    let (checksum, json) = text.split_once(' ').ok_or("there is no checksum")?;
    if u32::from_str_radix(checksum, 16).ok() != Some(crc32fast::hash(json.as_bytes())) {
        return Err("the checksum is wrong".to_owned());
    }
    Ok(json.as_bytes())
}

fn decode(json: &[u8], codec: &Codec) -> Result<Result<Line, String>, SealError> {
    let line = match serde_json::from_slice(json) {
        Ok(header @ Line::Header { .. }) => Ok(header),
        _ => serde_json::from_slice(&codec.open_record(json)?),
    };
    Ok(line.map_err(|error: serde_json::Error| error.to_string()))
}

/// The records, and how many bytes of the file are good.
fn parse(path: &Path, bytes: &[u8], codec: &Codec) -> Result<(Contents, usize), JournalError> {
    let mut contents = Contents::default();
    let mut length = 0;
    let mut damage: Option<(usize, String)> = None;
    for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let checked = match line.strip_suffix(b"\n") {
            Some(line) => checked(line),
            None => Err("the line is incomplete".to_owned()),
        };
        let decoded = match checked {
            Ok(json) => decode(json, codec).map_err(sealed_error("read", path))?,
            Err(problem) => Err(problem),
        };
        let damaged = |line, problem| JournalError::Damaged { path: path.to_owned(), line, problem };
        match (decoded, damage.take()) {
            // Lines that were never synced may reach the disk in any order, so several bad ones can end a file; but a
            // good one after a bad one means that something was damaged later.
            (Ok(_), Some((line, problem))) => return Err(damaged(line, problem)),
            (Err(_), Some(first)) => damage = Some(first),
            (Err(problem), None) => damage = Some((number + 1, problem)),
            (Ok(Line::Header { version }), None) if version > FORMAT_VERSION => {
                return Err(JournalError::FromTheFuture { path: path.to_owned(), version });
            }
            (Ok(decoded), None) => {
                apply(&mut contents, decoded).map_err(|problem| damaged(number + 1, problem))?;
                length += line.len();
            }
        }
    }
    Ok((contents, length))
}

fn apply(contents: &mut Contents, line: Line) -> Result<(), String> {
    match line {
        Line::Header { .. } => {}
        Line::Intent {
            id,
            time,
            address,
            deposed,
            provider,
            operation,
            planned,
            client_token,
            dependencies,
            create_before_destroy,
            lineage,
            serial,
        } => {
            let dependencies: Result<Dependencies, String> = dependencies
                .iter()
                .map(|text| text.parse().map(Arc::new).map_err(|error| format!("{error}")))
                .collect();
            let intent = Intent {
                address: address.parse().map_err(|error| format!("{error}"))?,
                deposed: deposed.map(|key| DeposedKey::parse(&key)).transpose().map_err(|error| error.to_string())?,
                provider: provider.parse().map_err(|error| format!("{error}"))?,
                operation: Operation::from_name(&operation)
                    .ok_or_else(|| format!("unknown operation {operation:?}"))?,
                planned: Json::from_value(&planned),
                client_token,
                dependencies: dependencies?,
                create_before_destroy,
                lineage: Lineage(lineage.into()),
                serial: Serial(serial),
            };
            let id = IntentId(id);
            contents.next = contents.next.max(id.0.saturating_add(1));
            contents.records.insert(id, JournalRecord { id, time, intent, handed_over: None, outcome: None });
        }
        Line::HandedOver { id, object } => {
            let record = contents.records.get_mut(&IntentId(id)).ok_or_else(|| format!("there is no intent {id}"))?;
            record.handed_over = Some(Arc::new(object_of(record, &object)?));
        }
        Line::Outcome { id, result, object } => {
            let record = contents.records.get_mut(&IntentId(id)).ok_or_else(|| format!("there is no intent {id}"))?;
            record.outcome = Some(match (result.as_str(), object) {
                ("object", Some(object)) => Outcome::Object(Arc::new(object_of(record, &object)?)),
                ("gone", None) => Outcome::Gone,
                ("failed", None) => Outcome::Failed,
                _ => return Err(format!("unknown result {result:?}")),
            });
        }
    }
    Ok(())
}

fn object_of(record: &JournalRecord, object: &serde_json::Value) -> Result<InstanceObject, String> {
    v4::object_from_json(&Json::from_value(object), &record.intent.address.abs_resource())
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
