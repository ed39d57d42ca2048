//! The lock of a state: an object beside it, whose generation is the lock's id for Terraform and for us.
//!
//! Renewing a lease writes the object anew, on the condition that it is the one that was written last, and so changes the id. The
//! time of a renewal is the one that the service notes, so that a lock is as good as renewed when it has been made.

use state::backend::Moment;
use state::{LockError, LockId, LockInfo, StoreError};

use crate::config::Config;
use crate::objects::{CallError, Content, NOTHING};

/// A lock's object.
#[derive(Clone, Copy)]
pub(crate) struct Lock<'a> {
    pub config: &'a Config,
    pub object: &'a str,
}

/// A lock of ours.
#[derive(Clone)]
pub(crate) struct Held {
    /// The generation that it was made with.
    pub id: LockId,
    /// What is written there: with the name that we gave it, which stays.
    info: LockInfo,
    /// The generation that it has now.
    generation: String,
    /// When it was made or last renewed.
    since: Moment,
}

impl Held {
    fn new(info: LockInfo, generation: String, since: Moment) -> Held {
        Held { id: LockId(generation.clone()), info, generation, since }
    }
}

fn content(info: &LockInfo) -> Vec<u8> {
    serde_json::to_vec(info).unwrap_or_default()
}

impl Lock<'_> {
    /// Who holds it, under its generation; a lease says when it was renewed by the service's clock.
    pub(crate) async fn holder(self) -> Result<Option<Box<LockInfo>>, CallError> {
        let Some((info, generation)) = self.stored().await? else { return Ok(None) };
        let mut info = Box::new(LockInfo { id: LockId(generation.clone()), ..info });
        if let Some(lease) = &mut info.lease {
            let updated = self.config.updated(self.object).await?;
            lease.renewed = updated.filter(|(stored, _)| *stored == generation).map(|(_, time)| time);
        }
        Ok(Some(info))
    }

    /// What is written there, and its generation; what is no lock's text reads as nobody.
    async fn stored(self) -> Result<Option<(LockInfo, String)>, CallError> {
        let object = self.config.get(self.object, Content::Lock).await?;
        Ok(object.map(|object| (serde_json::from_reader(object.content).unwrap_or_default(), object.generation)))
    }

    async fn put(self, info: &LockInfo, replaces: &str) -> Result<String, CallError> {
        let upload = self.config.upload(self.object, Content::Lock, |body| {
            body.extend_from_slice(&content(info));
            Ok::<_, CallError>(())
        })?;
        self.config.put(&upload, Some(replaces)).await
    }

    /// One attempt to take it. `dead`: a lock that may be replaced if it is still exactly as it was seen. Whether it was.
    pub(crate) async fn take(self, info: LockInfo, dead: Option<&LockInfo>) -> Result<(Held, bool), LockError> {
        let since = Moment::now();
        if let Some(dead) = dead {
            match self.put(&info, &dead.id.0).await {
                Ok(generation) => return Ok((Held::new(info, generation, since), true)),
                Err(error) if !error.is_conflict() => return Err(self.failed("lock", &error)),
                // It was given back, renewed or taken over meanwhile.
                Err(_) => {}
            }
        }
        let error = match self.put(&info, NOTHING).await {
            Ok(generation) => return Ok((Held::new(info, generation, since), false)),
            Err(error) => error,
        };
        let reason = format!("writing {:?} failed: {}", self.config.place(self.object), error.text);
        if !error.is_conflict() {
            return Err(StoreError::Told(reason).into());
        }
        // A request that is repeated after its answer was lost meets its own lock.
        if let Ok(Some((stored, generation))) = self.stored().await
            && stored.id == info.id
        {
            return Ok((Held::new(info, generation, since), dead.is_some()));
        }
        let holder = self.holder().await.unwrap_or_default();
        Err(LockError::Held { info: holder, reason, now: self.config.clock.now() })
    }

    /// Makes the lease begin anew; `None` for a lock without one.
    pub(crate) async fn renew(self, held: &Held) -> Result<Option<Held>, LockError> {
        let Some(lease) = &held.info.lease else { return Ok(None) };
        if held.since.elapsed() < lease.length() / 8 {
            // The service takes about one write of an object in a second.
            return Ok(Some(held.clone()));
        }
        let info = LockInfo { lease: Some(lease.renewed(None)), ..held.info.clone() };
        let since = Moment::now();
        let renewed = |generation| Some(Held { id: held.id.clone(), info: info.clone(), generation, since });
        match self.put(&info, &held.generation).await {
            Ok(generation) => return Ok(renewed(generation)),
            Err(error) if !error.is_conflict() => return Err(self.failed("renew", &error)),
            Err(_) => {}
        }
        match self.stored().await.map_err(|error| self.failed("renew", &error))? {
            // An earlier renewal was done though its answer was lost.
            Some((stored, generation)) if stored.id == info.id => {
                let generation = self.put(&info, &generation).await;
                Ok(renewed(generation.map_err(|error| self.failed("renew", &error))?))
            }
            stored => Err(LockError::lost_to(stored.map(|(holder, _)| holder).as_ref())),
        }
    }

    /// Gives a lock of ours back.
    pub(crate) async fn give_back(self, held: &Held) -> Result<(), LockError> {
        self.remove(&held.id, |stored, _| stored.id == held.info.id).await
    }

    /// Breaks the lock of this generation.
    pub(crate) async fn release(self, id: &LockId) -> Result<(), LockError> {
        if id.0.parse::<i64>().is_err() {
            let reason = format!("Lock ID should be numerical value, got '{id}'");
            return Err(LockError::NotReleased { reason, info: None });
        }
        self.remove(id, |_, generation| generation == id.0).await
    }

    /// Removes the lock if it is the one that is meant: not every server looks at the condition of a removal.
    async fn remove(self, id: &LockId, is_meant: impl FnOnce(&LockInfo, &str) -> bool) -> Result<(), LockError> {
        let refused = |reason: String, info| Err(LockError::NotReleased { reason, info });
        let missing = || refused("storage: object doesn't exist".to_owned(), None);
        let (stored, generation) = match self.stored().await {
            Ok(Some(stored)) => stored,
            Ok(None) => return missing(),
            Err(error) => return refused(error.text, None),
        };
        if !is_meant(&stored, &generation) {
            let reason = format!("the lock has the ID {generation}, not {id}");
            return refused(reason, Some(Box::new(LockInfo { id: LockId(generation), ..stored })));
        }
        match self.config.delete(self.object, Some(&generation)).await {
            Ok(true) => Ok(()),
            Ok(false) => missing(),
            Err(error) => refused(error.text, self.holder().await.unwrap_or_default()),
        }
    }

    fn failed(self, action: &'static str, error: &CallError) -> LockError {
        let place = self.config.place(self.object);
        LockError::Store(StoreError::Remote { action, place, reason: error.text.clone() })
    }
}
