//! The form in which files and objects keep records: lines, each a checksum and a JSON object. Where the state is encrypted,
//! each line's JSON object is encrypted as a file of its own, but for the first line, which is always in clear.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Intent, IntentId, JournalError, JournalRecord, Operation, Outcome};
use crate::codec::{Codec, SealError};
use crate::json::Json;
use crate::model::{Dependencies, DeposedKey, InstanceObject, Lineage, Serial};
use crate::v4;

const FORMAT_VERSION: u64 = 1;

/// What is recorded, and how it is written.
#[derive(Default)]
pub(super) struct Records {
    /// The file or object.
    place: String,
    codec: Codec,
    records: BTreeMap<IntentId, JournalRecord>,
    next: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
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
        planned: Json,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        client_token: Option<String>,
        #[serde(skip_serializing_if = "<[_]>::is_empty", default, with = "addresses")]
        dependencies: Dependencies,
        #[serde(skip_serializing_if = "std::ops::Not::not", default)]
        create_before_destroy: bool,
        lineage: String,
        serial: u64,
    },
    HandedOver {
        id: u64,
        object: Json,
    },
    Outcome {
        id: u64,
        result: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        object: Option<Json>,
    },
}

impl Line {
    pub(super) fn header() -> Line {
        Line::Header { version: FORMAT_VERSION }
    }

    fn intent(record: &JournalRecord) -> Line {
        let intent = &record.intent;
        Line::Intent {
            id: record.id.0,
            time: record.time.clone(),
            address: intent.address.to_string(),
            deposed: intent.deposed.as_ref().map(ToString::to_string),
            provider: intent.provider.to_string(),
            operation: intent.operation.as_str().to_owned(),
            planned: intent.planned.clone(),
            client_token: intent.client_token.clone(),
            dependencies: intent.dependencies.clone(),
            create_before_destroy: intent.create_before_destroy,
            lineage: intent.lineage.to_string(),
            serial: intent.serial.0,
        }
    }

    pub(super) fn handed_over(id: IntentId, object: &InstanceObject) -> Line {
        Line::HandedOver { id: id.0, object: v4::object_to_json(object) }
    }

    pub(super) fn outcome(id: IntentId, outcome: &Outcome) -> Line {
        let (result, object) = match outcome {
            Outcome::Object(object) => ("object", Some(v4::object_to_json(object))),
            Outcome::Gone => ("gone", None),
            Outcome::Failed => ("failed", None),
        };
        Line::Outcome { id: id.0, result: result.to_owned(), object }
    }
}

/// Addresses as their texts.
mod addresses {
    use std::fmt::Display;
    use std::sync::Arc;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::model::Dependencies;

    struct Text<T>(T);

    impl<T: Display> Serialize for Text<T> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(&self.0)
        }
    }

    pub(super) fn serialize<S: Serializer>(addresses: &Dependencies, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(addresses.iter().map(Text))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Dependencies, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| text.parse().map(Arc::new).map_err(D::Error::custom)).collect()
    }
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

impl Records {
    /// The records, and how many bytes of a file or object are good. A last line that was cut off is none: nobody was
    /// told that it is durable.
    pub(super) fn parse(place: String, bytes: &[u8], codec: Codec) -> Result<(Records, usize), JournalError> {
        let mut records = Records { place: place.clone(), codec, ..Records::default() };
        let mut length = 0;
        let mut damage: Option<(usize, String)> = None;
        for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let checked = match line.strip_suffix(b"\n") {
                Some(line) => checked(line),
                None => Err("the line is incomplete".to_owned()),
            };
            let damaged = |line, problem| JournalError::Damaged { place: place.clone(), line, problem };
            let decoded = match checked {
                Ok(json) => {
                    let decoded =
                        decode(json, &records.codec).map_err(|source| records.sealed_error("read", source))?;
                    // What was written whole and makes no sense was not cut off.
                    Ok(decoded.map_err(|problem| damaged(number + 1, problem))?)
                }
                Err(problem) => Err(problem),
            };
            match (decoded, damage.take()) {
                // Lines that were never synced may reach the disk in any order, so several bad ones can end a file; but a
                // good one after a bad one means that something was damaged later.
                (Ok(_), Some((line, problem))) => return Err(damaged(line, problem)),
                (Err(_), Some(first)) => damage = Some(first),
                (Err(problem), None) => damage = Some((number + 1, problem)),
                (Ok(Line::Header { version }), None) if version > FORMAT_VERSION => {
                    return Err(JournalError::FromTheFuture { place, version });
                }
                (Ok(decoded), None) => {
                    records.read(decoded).map_err(|problem| damaged(number + 1, problem))?;
                    length += line.len();
                }
            }
        }
        Ok((records, length))
    }

    fn sealed_error(&self, action: &'static str, source: SealError) -> JournalError {
        JournalError::Sealed { action, place: self.place.clone(), source }
    }

    /// A line as it is written.
    pub(super) fn encode(&self, line: &Line) -> Result<Vec<u8>, JournalError> {
        let json = serde_json::to_vec(line)?;
        if let Line::Header { .. } = line {
            return Ok(with_checksum(&json));
        }
        let stored = self.codec.seal_record(&json).map_err(|source| self.sealed_error("write", source))?;
        Ok(with_checksum(&stored))
    }

    /// Everything as lines; nothing if there are no records.
    pub(super) fn lines(&self) -> Result<Vec<u8>, JournalError> {
        let mut lines = Vec::new();
        for record in self.records.values() {
            if lines.is_empty() {
                lines = self.encode(&Line::header())?;
            }
            lines.extend(self.encode(&Line::intent(record))?);
            if let Some(object) = &record.handed_over {
                lines.extend(self.encode(&Line::handed_over(record.id, object))?);
            }
            if let Some(outcome) = &record.outcome {
                lines.extend(self.encode(&Line::outcome(record.id, outcome))?);
            }
        }
        Ok(lines)
    }

    pub(super) fn all(&self) -> Vec<JournalRecord> {
        self.records.values().cloned().collect()
    }

    /// Adds an intent; the line that says so.
    pub(super) fn add(&mut self, intent: Intent) -> (Line, IntentId) {
        let id = IntentId(self.next);
        let record = JournalRecord::new(id, intent);
        let line = Line::intent(&record);
        self.next += 1;
        self.records.insert(id, record);
        (line, id)
    }

    pub(super) fn get_mut(&mut self, id: IntentId) -> Result<&mut JournalRecord, JournalError> {
        self.records.get_mut(&id).ok_or(JournalError::Unknown(id))
    }

    /// Whether any of them was there.
    pub(super) fn remove(&mut self, settled: &[IntentId]) -> bool {
        let before = self.records.len();
        for id in settled {
            self.records.remove(id);
        }
        self.records.len() != before
    }

    fn read(&mut self, line: Line) -> Result<(), String> {
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
                let intent = Intent {
                    address: address.parse().map_err(|error| format!("{error}"))?,
                    deposed: deposed
                        .map(|key| DeposedKey::parse(&key))
                        .transpose()
                        .map_err(|error| error.to_string())?,
                    provider: provider.parse().map_err(|error| format!("{error}"))?,
                    operation: Operation::from_name(&operation)
                        .ok_or_else(|| format!("unknown operation {operation:?}"))?,
                    planned,
                    client_token,
                    dependencies,
                    create_before_destroy,
                    lineage: Lineage(lineage.into()),
                    serial: Serial(serial),
                };
                let id = IntentId(id);
                self.next = self.next.max(id.0.saturating_add(1));
                self.records.insert(id, JournalRecord { id, time, intent, handed_over: None, outcome: None });
            }
            Line::HandedOver { id, object } => {
                let record = self.find(id)?;
                record.handed_over = Some(Arc::new(object_of(record, &object)?));
            }
            Line::Outcome { id, result, object } => {
                let record = self.find(id)?;
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

    fn find(&mut self, id: u64) -> Result<&mut JournalRecord, String> {
        self.records.get_mut(&IntentId(id)).ok_or_else(|| format!("there is no intent {id}"))
    }
}

/// The parts of records for those who keep them one by one, as JSON without the intent's name.
pub(crate) mod parts {
    use super::{InstanceObject, Intent, IntentId, JournalRecord, Line, Outcome, Records};

    const ID: &str = "id";

    fn part(line: Line) -> Result<String, serde_json::Error> {
        let mut value = serde_json::to_value(line)?;
        let content = value.as_object_mut().and_then(|object| object.values_mut().next());
        let content = content.map(serde_json::Value::take).unwrap_or_default();
        let serde_json::Value::Object(mut content) = content else { return serde_json::to_string(&content) };
        content.remove(ID);
        serde_json::to_string(&content)
    }

    pub(crate) fn intent(intent: Intent) -> Result<String, serde_json::Error> {
        part(Line::intent(&JournalRecord::new(IntentId(0), intent)))
    }

    pub(crate) fn handed_over(object: &InstanceObject) -> Result<String, serde_json::Error> {
        part(Line::handed_over(IntentId(0), object))
    }

    pub(crate) fn outcome(outcome: &Outcome) -> Result<String, serde_json::Error> {
        part(Line::outcome(IntentId(0), outcome))
    }

    /// A record from its parts, each with its kind: `intent`, `handed_over`, `outcome`.
    pub(crate) fn record(id: IntentId, parts: [(&str, Option<&str>); 3]) -> Result<JournalRecord, String> {
        let mut records = Records::default();
        for (kind, text) in parts {
            let Some(text) = text else { continue };
            let mut content: serde_json::Map<_, _> = serde_json::from_str(text).map_err(|error| error.to_string())?;
            content.insert(ID.to_owned(), id.0.into());
            let line = serde_json::json!({ kind: content });
            records.read(serde_json::from_value(line).map_err(|error| error.to_string())?)?;
        }
        records.all().pop().ok_or_else(|| "there is no intent".to_owned())
    }
}

fn object_of(record: &JournalRecord, object: &Json) -> Result<InstanceObject, String> {
    v4::object_from_json(object, &record.intent.address.abs_resource()).map_err(|error| error.to_string())
}
