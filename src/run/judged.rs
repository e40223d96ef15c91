//! The journals of judges, beside the run's own: `journal/judge-<n>.jsonl`, one for each judge. Same lines, same rules: what a
//! judge was asked is written before anything reads it, and a conversation is judged when its line is there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::entry::{Entry, EntryRef, JOURNAL_VERSION, JudgeMark, Pair};
use super::journal::{Journal, read_journal};
use super::lock::RunLock;
use super::manifest::PROGRAM;
use super::store::{RunDir, RunError, lock};
use crate::fsio;
use crate::pipeline::{CallLog, CallLogError, CallOutcome};
use crate::quality;
use crate::record::{Aspect, Judgement, Judgements, Verdict};
use crate::settings::HarmRule;

/// What a judge's journal holds.
#[derive(Default)]
struct Found {
    /// The judge's fingerprint.
    judge: Option<String>,
    mark: Option<JudgeMark>,
    pairs: BTreeMap<String, Option<String>>,
    calls: HashMap<String, CallOutcome>,
    judged: BTreeMap<String, Judgement>,
    /// Those that had no other beside them when they were judged.
    alone: BTreeSet<String>,
    /// Bytes of the sound part.
    sound: u64,
}

impl Found {
    fn read(path: &Path) -> Result<Self, RunError> {
        let mut found = Self::default();
        found.sound = read_journal(path, |_, entry| match entry {
            Entry::Start { run, .. } => found.judge = Some(run),
            Entry::Judge(mark) => found.mark = Some(mark),
            Entry::Pairs(pairs) => {
                let pairs = pairs.into_iter().map(|Pair { id, with }| (id, with));
                found.pairs.extend(pairs);
            }
            Entry::Call { key, outcome } => {
                found.calls.entry(key).or_insert(outcome);
            }
            Entry::Judged(judgement) => {
                let paired = found.pairs.get(&judgement.id).is_some_and(Option::is_some);
                if paired {
                    found.alone.remove(&judgement.id);
                } else {
                    found.alone.insert(judgement.id.clone());
                }
                found.judged.insert(judgement.id.clone(), *judgement);
            }
            _ => {}
        })?;
        Ok(found)
    }
}

impl RunDir {
    /// The journal of the nth judge, from 0.
    #[must_use]
    pub fn judge_path(&self, nth: u32) -> PathBuf {
        self.path.join("journal").join(format!("judge-{nth}.jsonl"))
    }

    /// The journals of all judges, in the order in which they came.
    fn judges(&self) -> impl Iterator<Item = PathBuf> {
        let paths = (0..).map(|nth| self.judge_path(nth));
        paths.take_while(|path| path.is_file())
    }

    /// What the last judge to come that judged anything made of the run; none where nothing was judged. May be called while it is written.
    ///
    /// # Errors
    /// When the journal cannot be read or is damaged.
    pub fn judgements(&self) -> Result<Option<Judgements>, RunError> {
        let paths: Vec<PathBuf> = self.judges().collect();
        for path in paths.iter().rev() {
            if let Some(found) = self.judgements_in(path)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The conversations that the recipe's rules leave out for what a judge made of them, and why; by id.
    ///
    /// # Errors
    /// As for [`Self::judgements`].
    pub fn judged_out(&self) -> Result<BTreeMap<String, Verdict>, RunError> {
        let rules = &self.manifest().spec.quality;
        if !rules.hears_judge() {
            return Ok(BTreeMap::new());
        }
        let found = self.judgements()?;
        let all = found.into_iter().flat_map(|found| found.by_id);
        let out = all.filter_map(|(id, judgement)| {
            let mut verdict = quality::judged(&judgement, &rules.judge)?;
            // A second look that the recipe does not ask for any more has no say.
            if rules.harm != HarmRule::Judge
                && matches!(&verdict, Verdict::Reject { reason, .. } if reason == "harm")
            {
                let scores = Judgement {
                    harm: Vec::new(),
                    ..judgement
                };
                verdict = quality::judged(&scores, &rules.judge)?;
            }
            Some((id, verdict))
        });
        Ok(out.collect())
    }

    /// What one judge made of it, by its journal; none where it judged nothing.
    ///
    /// # Errors
    /// As for [`Self::judgements`].
    pub fn judgements_in(&self, journal: &Path) -> Result<Option<Judgements>, RunError> {
        let Found { mark, judged, .. } = Found::read(journal)?;
        let found = mark.map(|mark| Judgements {
            model: mark.model,
            demo: mark.demo,
            by_id: judged,
        });
        Ok(found.filter(|found| !found.is_empty()))
    }

    /// Opens the journal of a judge for writing: the one that begins with its fingerprint, or a new one.
    ///
    /// # Errors
    /// When another process is writing the run, or a journal cannot be read or written.
    pub fn judge(&self, fingerprint: &str, mark: &JudgeMark) -> Result<JudgeWriter, RunError> {
        let lock = lock(&self.path)?;
        let mut paths = self.judges();
        let mut nth = 0;
        let (path, mut found) = loop {
            let Some(path) = paths.next() else {
                break (self.judge_path(nth), Found::default());
            };
            let found = Found::read(&path)?;
            // One that a crash cut before its first line belongs to nobody.
            if found
                .judge
                .as_deref()
                .is_none_or(|judge| judge == fingerprint)
            {
                break (path, found);
            }
            nth += 1;
        };
        let journal = Journal::open(&path, found.sound)?;
        if found.judge.is_none() {
            journal.append(EntryRef::Start {
                journal: JOURNAL_VERSION,
                program: PROGRAM,
                run: fingerprint,
            })?;
        }
        if found.mark.is_none() {
            journal.append(EntryRef::Judge(mark))?;
            journal.flush()?;
            if let Some(folder) = path.parent() {
                fsio::sync_folder(folder);
            }
        }
        Ok(JudgeWriter {
            path,
            journal,
            pairs: std::mem::take(&mut found.pairs),
            judged: std::mem::take(&mut found.judged),
            alone: std::mem::take(&mut found.alone),
            calls: found.calls,
            _lock: lock,
        })
    }
}

/// A judge's journal, opened for writing by this process alone.
pub struct JudgeWriter {
    // The first is dropped first: the journal is closed before another process may write it.
    journal: Journal,
    path: PathBuf,
    /// From which conversation each takes its negative controls.
    pub pairs: BTreeMap<String, Option<String>>,
    /// What was there when it was opened.
    pub judged: BTreeMap<String, Judgement>,
    alone: BTreeSet<String>,
    calls: HashMap<String, CallOutcome>,
    _lock: RunLock,
}

impl JudgeWriter {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a conversation was judged in all of these aspects, with controls where there is something to take them from.
    #[must_use]
    pub fn is_done(&self, id: &str, aspects: &[Aspect]) -> bool {
        let paired = self.pairs.get(id).is_some_and(Option::is_some);
        self.judged.get(id).is_some_and(|judged| {
            let asked = |aspect: &Aspect| judged.asked.contains(aspect.name());
            aspects.iter().all(asked) && !(paired && self.alone.contains(id))
        })
    }

    /// Decides whose controls come from where.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn pair(&mut self, pairs: Vec<Pair>) -> Result<(), RunError> {
        self.journal.append(EntryRef::Pairs(&pairs))?;
        let pairs = pairs.into_iter().map(|Pair { id, with }| (id, with));
        self.pairs.extend(pairs);
        Ok(())
    }

    /// A conversation is judged.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put(&self, judgement: &Judgement) -> Result<(), RunError> {
        Ok(self.journal.append(EntryRef::Judged(judgement))?)
    }

    /// Waits until everything is durable.
    ///
    /// # Errors
    /// When something could not be written.
    pub fn flush(&self) -> Result<(), RunError> {
        Ok(self.journal.flush()?)
    }
}

impl CallLog for JudgeWriter {
    fn recall(&self, key: &str) -> Option<CallOutcome> {
        self.calls.get(key).cloned()
    }

    fn record(&self, key: &str, outcome: &CallOutcome) -> Result<(), CallLogError> {
        let written = self.journal.append(EntryRef::Call { key, outcome });
        written.map_err(|error| CallLogError(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::fake;

    fn mark(model: &str) -> JudgeMark {
        JudgeMark {
            model: model.into(),
            model_hash: "0".into(),
            profile: "f32".into(),
            demo: false,
        }
    }

    fn judgement(id: &str) -> Judgement {
        Judgement {
            id: id.into(),
            ..Judgement::default()
        }
    }

    #[test]
    fn every_judge_has_a_journal_and_the_last_one_counts() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("journal")).unwrap();
        let dir = RunDir {
            path: folder.path().to_owned(),
            manifest: fake::manifest(&fake::spec("count = 4")),
        };
        assert_eq!(dir.judgements().unwrap(), None);
        let mut one = dir.judge("a", &mark("one")).unwrap();
        assert!(matches!(
            dir.judge("a", &mark("one")),
            Err(RunError::Locked { .. })
        ));
        assert_eq!(dir.judgements().unwrap(), None);
        let pair = Pair {
            id: "c/0/0".into(),
            with: Some("c/1/0".into()),
        };
        one.pair(vec![pair]).unwrap();
        let call = CallOutcome::Choice(vec![-0.5, -1.5]);
        one.record("j/c/0/0/tone", &call).unwrap();
        one.put(&judgement("c/0/0")).unwrap();
        one.flush().unwrap();
        let found = dir.judgements().unwrap().unwrap();
        assert_eq!((found.model.as_str(), found.by_id.len()), ("one", 1));
        drop(one);
        let two = dir.judge("b", &mark("two")).unwrap();
        assert_eq!(two.path(), dir.judge_path(1));
        assert!(two.judged.is_empty() && two.pairs.is_empty());
        assert_eq!(dir.judgements().unwrap().unwrap().model, "one");
        two.put(&judgement("c/1/0")).unwrap();
        drop(two);
        assert_eq!(dir.judgements().unwrap().unwrap().model, "two");
        // A line that a crash cut is asked for again.
        let path = dir.judge_path(0);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&whole[..], b"0123abcd {\"judged"].concat()).unwrap();
        let again = dir.judge("a", &mark("one")).unwrap();
        assert_eq!(again.pairs["c/0/0"].as_deref(), Some("c/1/0"));
        assert_eq!(again.recall("j/c/0/0/tone"), Some(call));
        assert_eq!(again.recall("j/c/0/0/style"), None);
        assert_eq!(again.judged.len(), 1);
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        drop(again);
        // One that was durable is not.
        let mut damaged = whole;
        damaged[40] ^= 1;
        std::fs::write(&path, damaged).unwrap();
        let told = dir.judge("a", &mark("one")).err().unwrap().to_string();
        assert!(told.contains("judge-0.jsonl:1: damaged line"), "{told}");
    }
}
