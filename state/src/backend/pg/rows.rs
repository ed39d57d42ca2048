//! What SQL users see of a state: its resources, and the history of its snapshots. Written with every snapshot, in its
//! transaction. Of an encrypted state there is the history alone, without what has changed.

use std::collections::BTreeSet;

use lang::addr::{AbsResource, Mode};
use md5::{Digest, Md5};
use tokio_postgres::{Error, Transaction};

use crate::backend::LockInfo;
use crate::merge::differing;
use crate::model::State;
use crate::v4;

/// A snapshot that takes another one's place.
pub(super) struct Change<'a> {
    /// The schema's name, quoted.
    pub schema: &'a str,
    pub workspace: &'a str,
    /// What was stored, if it was readable, and its digest.
    pub old: Option<(&'a State, String)>,
    pub new: &'a State,
    pub digest: String,
    /// Whether what was stored is encrypted.
    pub was_sealed: bool,
    /// Whether the new one is.
    pub is_sealed: bool,
    /// Who writes it, if it holds a lock.
    pub by: Option<&'a LockInfo>,
}

impl Change<'_> {
    /// Brings the tables up to date. Terraform and others write `states` alone: what they have changed is taken over as well.
    ///
    /// Whatever is wrong with the rows, the snapshot itself is worth more: it is stored without them, and the next one
    /// brings them all up to date. Why they could not be written is returned.
    pub(super) async fn record(&self, transaction: &mut Transaction<'_>) -> Result<Option<Error>, Error> {
        let rows = transaction.transaction().await?;
        match self.write(&rows).await {
            Ok(()) => rows.commit().await.map(|()| None),
            Err(error) if error.as_db_error().is_some() => rows.rollback().await.map(|()| Some(error)),
            Err(error) => Err(error),
        }
    }

    async fn write(&self, rows: &Transaction<'_>) -> Result<(), Error> {
        let schema = self.schema;
        let query = format!("SELECT digest FROM {schema}.versions WHERE workspace = $1 ORDER BY number DESC LIMIT 1");
        let known = rows.query_opt(&query, &[&self.workspace]).await?;
        let known: Option<String> = known.map(|row| row.try_get(0)).transpose()?;
        let is_known = self.old.as_ref().map(|(_, digest)| digest) == known.as_ref();
        // Encrypted snapshots have no rows.
        let in_step = is_known && !self.was_sealed;
        if !in_step || self.is_sealed {
            let query = format!("DELETE FROM {schema}.resources WHERE workspace = $1");
            rows.execute(&query, &[&self.workspace]).await?;
        }
        if let (false, Some((old, digest))) = (is_known, &self.old) {
            self.version(rows, old, None, digest, None).await?;
        }
        if self.is_sealed {
            return self.version(rows, self.new, self.by, &self.digest, None).await;
        }
        let empty = State::new();
        let old = match &self.old {
            Some((old, _)) if in_step => old,
            _ => &empty,
        };
        let changed = differing(old, self.new);
        let (there, gone): (BTreeSet<&AbsResource>, BTreeSet<&AbsResource>) =
            changed.iter().partition(|address| self.new.resources.contains_key(**address));
        let gone: Vec<String> = gone.iter().map(ToString::to_string).collect();
        let query = format!("DELETE FROM {schema}.resources WHERE workspace = $1 AND address = ANY($2)");
        rows.execute(&query, &[&self.workspace, &gone]).await?;
        self.put(rows, &there).await?;
        let names = self.new.outputs.keys().chain(old.outputs.keys()).collect::<BTreeSet<_>>();
        let outputs = names.into_iter().filter(|name| self.new.outputs.get(*name) != old.outputs.get(*name));
        let mut what: Vec<String> = changed.iter().map(ToString::to_string).collect();
        what.extend(outputs.map(|name| format!("output.{name}")));
        self.version(rows, self.new, self.by, &self.digest, in_step.then_some(what)).await
    }

    async fn put(&self, rows: &Transaction<'_>, addresses: &BTreeSet<&AbsResource>) -> Result<(), Error> {
        let [mut address, mut module, mut mode, mut kind, mut name, mut provider, mut instances] =
            [const { Vec::new() }; 7];
        for (resource, state) in addresses.iter().filter_map(|a| Some((*a, self.new.resources.get(*a)?))) {
            address.push(resource.to_string());
            module.push(resource.module.to_string());
            mode.push(if resource.resource.mode == Mode::Data { "data" } else { "managed" }.to_owned());
            kind.push(resource.resource.kind.to_string());
            name.push(resource.resource.name.to_string());
            provider.push(state.provider.to_string());
            // The one character that jsonb can't hold.
            instances.push(v4::instances_to_json(state).as_str().replace("\\u0000", "\\ufffd"));
        }
        let query = format!(
            "INSERT INTO {}.resources (workspace, address, module, mode, type, name, provider, instances, serial)
             SELECT $1, a, m, o, t, n, p, i::jsonb, $9
             FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
                  AS rows(a, m, o, t, n, p, i)
             ON CONFLICT (workspace, address) DO UPDATE SET
             provider = excluded.provider, instances = excluded.instances, serial = excluded.serial",
            self.schema
        );
        let serial = self.new.serial.0.cast_signed();
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 9] =
            [&self.workspace, &address, &module, &mode, &kind, &name, &provider, &instances, &serial];
        rows.execute(&query, &values).await.map(drop)
    }

    async fn version(
        &self,
        rows: &Transaction<'_>,
        state: &State,
        by: Option<&LockInfo>,
        digest: &str,
        changed: Option<Vec<String>>,
    ) -> Result<(), Error> {
        let query = format!(
            "INSERT INTO {}.versions (workspace, serial, lineage, who, operation, job, reason, changed, digest)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            self.schema
        );
        let (serial, lineage) = (state.serial.0.cast_signed(), state.lineage.0.as_str());
        let (who, operation) = by.map_or(("", ""), |by| (by.who.as_str(), by.operation.as_str()));
        let (job, reason) = (by.and_then(|by| by.job.as_deref()), by.and_then(|by| by.reason.as_deref()));
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 9] =
            [&self.workspace, &serial, &lineage, &who, &operation, &job, &reason, &changed, &digest];
        rows.execute(&query, &values).await.map(drop)
    }
}

/// What tells whether a snapshot is the one that the rows were made from.
pub(super) fn digest(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
