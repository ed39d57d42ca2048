//! The events of `plan -json` and `apply -json`.

use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::diagnostic::DiagnosticDocument;

/// Version of the event format.
pub const UI_VERSION: &str = "1.2";

/// One line of the stream.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// `info`, `warn`, `error`
    #[serde(rename = "@level")]
    pub level: &'static str,
    /// What a person reads.
    #[serde(rename = "@message")]
    pub message: String,
    /// `terraform.ui`
    #[serde(rename = "@module")]
    pub module: &'static str,
    /// When, in RFC 3339.
    #[serde(rename = "@timestamp")]
    pub timestamp: String,
    /// What depends on the type.
    #[serde(flatten)]
    pub body: Map<String, Json>,
    /// What kind of event it is.
    #[serde(rename = "type")]
    pub kind: &'static str,
}

impl Event {
    /// An event of a type.
    pub fn new(kind: &'static str, message: impl Into<String>) -> Event {
        Event {
            level: "info",
            message: message.into(),
            module: "terraform.ui",
            timestamp: now(),
            body: Map::new(),
            kind,
        }
    }

    /// Adds a part.
    #[must_use]
    pub fn with(mut self, name: &str, part: impl Serialize) -> Event {
        if let Ok(json) = serde_json::to_value(part) {
            self.body.insert(name.to_owned(), json);
        }
        self
    }

    /// A diagnostic.
    pub fn diagnostic(document: DiagnosticDocument) -> Event {
        let (level, label) = if document.severity == "error" { ("error", "Error") } else { ("warn", "Warning") };
        let message = format!("{label}: {}", document.summary);
        Event { level, ..Event::new("diagnostic", message).with("diagnostic", document) }
    }

    /// The first event: which version speaks.
    pub fn version() -> Event {
        Event::new("version", format!("Terraform {}", state::model::TERRAFORM_VERSION))
            .with("terraform", state::model::TERRAFORM_VERSION)
            .with("ui", UI_VERSION)
    }
}

/// The current time in RFC 3339 with microseconds, in UTC.
pub fn now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let (seconds, micros) = (since.as_secs(), since.subsec_micros());
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days to a date of the Gregorian calendar, in years that begin in March: the leap day comes last.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}
