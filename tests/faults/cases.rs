//! Cases: a rule each, run one after another on a few mounts, and counted.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hypostyle_faultfs::{Kind, Mount, Mounted, Options, Request, Rules};
use tempfile::TempDir;

use crate::join::{Ended, TABLES, Tables, join};

static TURN: RwLock<()> = RwLock::new(());

/// For a test that looks at the time: no other one keeps the machine busy meanwhile.
pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    TURN.write().unwrap_or_else(PoisonError::into_inner)
}

/// For the others.
pub(crate) fn beside_others() -> RwLockReadGuard<'static, ()> {
    TURN.read().unwrap_or_else(PoisonError::into_inner)
}

/// One request of one join, and what happens to it.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) rules: Rules,
}

/// What became of a case.
pub(crate) enum Verdict {
    Right,
    Typed,
    Wrong(String),
    Death(String),
}

#[derive(Default)]
pub(crate) struct Count {
    pub(crate) right: usize,
    pub(crate) typed: usize,
    wrong: Vec<String>,
    deaths: Vec<String>,
    /// Cases in which the request did not come again.
    pub(crate) unmet: usize,
}

/// The same tables on some mounts, that cases can run side by side.
pub(crate) struct Mounts {
    pub(crate) mounted: Vec<Mounted>,
    // After the mounts, so that they are gone when it goes.
    _folders: Vec<TempDir>,
}

impl Mounts {
    pub(crate) fn new(tables: &Tables, options: &Options, many: usize) -> Self {
        let folders: Vec<_> = (0..many).map(|_| tempfile::tempdir().unwrap()).collect();
        let mount =
            |folder: &TempDir| Mount::new(options.clone()).spawn(tables.path(), folder.path()).unwrap();
        Self { mounted: folders.iter().map(mount).collect(), _folders: folders }
    }

    /// As many as there are cores, but no more than a few.
    pub(crate) fn usual(tables: &Tables, options: &Options) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4));
        Self::new(tables, options, cores)
    }

    /// The requests of a join that nothing is done to, by their files and places; they are as many as there are reads
    /// in it.
    pub(crate) fn requests(&self, frame: &[u8]) -> Vec<Request> {
        let mounted = &self.mounted[0];
        mounted.set_rules(Rules::default()).unwrap();
        mounted.clear_requests();
        assert_eq!(join(mounted.path()), Ended::Frame(frame.to_owned()));
        let mut requests = mounted.requests();
        requests.sort_by(|a, b| (&a.file, a.offset, a.number).cmp(&(&b.file, b.offset, b.number)));
        let reads = requests.iter().filter(|request| request.kind == Kind::Read).count();
        assert!(reads >= TABLES, "{reads} reads");
        requests
    }

    /// Runs each case, prints what is not as it should be and the sums, and fails if there was any such.
    pub(crate) fn run(
        &self,
        what: &str,
        cases: &[Case],
        run: impl Fn(&Path, &Case) -> Verdict + Sync,
    ) -> Count {
        let (next, count) = (AtomicUsize::new(0), Mutex::new(Count::default()));
        std::thread::scope(|scope| {
            for mounted in &self.mounted {
                scope.spawn(|| {
                    while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                        mounted.set_rules(case.rules.clone()).unwrap();
                        mounted.clear_requests();
                        let verdict = run(mounted.path(), case);
                        let met = mounted.requests().iter().any(|request| !request.rules.is_empty());
                        let mut count = count.lock().unwrap();
                        count.unmet += usize::from(!met);
                        count.add(case, verdict);
                    }
                });
            }
        });
        let count = count.into_inner().unwrap();
        for line in count.wrong.iter().chain(&count.deaths) {
            println!("{what}: {line}");
        }
        let Count { right, typed, wrong, deaths, .. } = &count;
        println!(
            "{what}: {} cases, {right} right, {typed} typed errors, {} wrong, {} deaths",
            cases.len(),
            wrong.len(),
            deaths.len()
        );
        assert!(wrong.is_empty() && deaths.is_empty(), "{what}: see above");
        count
    }
}

impl Count {
    fn add(&mut self, case: &Case, verdict: Verdict) {
        match verdict {
            Verdict::Right => self.right += 1,
            Verdict::Typed => self.typed += 1,
            Verdict::Wrong(how) => self.wrong.push(format!("{}: {how}", case.name)),
            Verdict::Death(how) => self.deaths.push(format!("{}: {how}", case.name)),
        }
    }
}

impl From<Ended> for Verdict {
    /// What is neither expected nor excused.
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Frame(_) => Self::Wrong("another frame".to_owned()),
            Ended::Failed(code, said) => Self::Wrong(format!("exit code {code}: {said}")),
            Ended::Died(how) => Self::Death(how),
            Ended::Hung => Self::Death("no end".to_owned()),
        }
    }
}
