//! A bar on stderr for work that lasts, for people who watch.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use hypostyle::JoinOptions;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Common;

const PATIENCE: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(100);

/// A bar, or a spinner where nobody knows how much there is to do, that appears after a second and goes when this is dropped.
pub(super) struct Progress(Option<(Sender<()>, JoinHandle<()>)>);

impl Progress {
    /// Watches a run that is put into `options` for it.
    pub(super) fn watch_run(common: Common, what: &'static str, options: &mut JoinOptions) -> Self {
        let run = Arc::new(options.new_run());
        options.run = Some(Arc::clone(&run));
        Self::watch(common, what, move || {
            let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            (of(&run.counters.units_done), of(&run.counters.units_planned))
        })
    }

    /// Watches work of which `state` tells how much is done, and of how much.
    pub(super) fn watch(
        common: Common,
        what: &'static str,
        state: impl Fn() -> (u64, u64) + Send + 'static,
    ) -> Self {
        if common.no_progress || !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let (stop, stopped) = channel::<()>();
        let draw = move || {
            if stopped.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_message(what);
            let mut is_known = None;
            loop {
                let (done, planned) = state();
                if is_known.replace(planned > 0) != Some(planned > 0) {
                    bar.set_style(style(planned > 0));
                }
                bar.set_length(planned);
                bar.set_position(done);
                bar.tick();
                if stopped.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout) {
                    bar.finish_and_clear();
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(draw);
        Self(thread.ok().map(|thread| (stop, thread)))
    }
}

/// How it is drawn. A template that does not parse would leave indicatif's own style, which does as well.
fn style(is_known: bool) -> ProgressStyle {
    let template =
        if is_known { "{msg} {wide_bar} {pos}/{len} {elapsed}" } else { "{msg} {spinner} {elapsed}" };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.0.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}
