//! `--timeout` where a mount can hang: the work is done in a child.
//!
//! A process with a thread in a call to a daemon that hangs may not end, not even by SIGKILL. So this process only
//! waits: for a child that is itself, with the same arguments, and that tells through a pipe how far it is. It ends
//! when the child says how it ended, or at the deadline, and leaves the child to the kernel.

use std::fs::File;
use std::io::{PipeReader, Read, Write};
use std::os::fd::AsRawFd;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use hypostyle::{Error, ErrorKind, Result};

/// How much later than the deadline the child may tell that it passed: it knows which files it waited for.
const GRACE: Duration = Duration::from_millis(40);

/// What the child says when its work no longer depends on the deadline; all other bytes are exit codes.
const WORKED: u8 = 255;

/// Where the child tells its parent how far it is.
static PARENT: OnceLock<File> = OnceLock::new();

/// Whether the work is done and only handed out.
static HAS_WORKED: AtomicBool = AtomicBool::new(false);

/// The exit code of a deadline that passed.
const TIMED_OUT: u8 = 4;

/// In the child: from now on `descriptor` is where the parent listens.
///
/// Should the thread that this is hang too, the output is closed nevertheless soon after the deadline: whoever reads
/// it would wait for ever.
pub(super) fn report_to(descriptor: i32, timeout: Option<Duration>) -> Result<()> {
    let path = format!("/dev/fd/{descriptor}");
    let file = File::options().write(true).open(&path).map_err(|e| Error::from_io(path.as_ref(), e))?;
    let _ = PARENT.set(file);
    let Some(timeout) = timeout else { return Ok(()) };
    let watch = move || {
        std::thread::sleep(timeout.saturating_add(GRACE * 2));
        if !HAS_WORKED.load(Ordering::Acquire) {
            ended(TIMED_OUT);
            std::process::exit(i32::from(TIMED_OUT));
        }
    };
    let thread = std::thread::Builder::new().name("deadline".to_owned()).spawn(watch);
    thread.map(drop).map_err(|e| Error::internal(format!("no thread to watch the deadline: {e}")))
}

/// In the child: the work is done, what is left is to hand it out.
pub(super) fn worked() {
    HAS_WORKED.store(true, Ordering::Release);
    tell(WORKED);
}

/// In the child: it ends with this code. Whoever reads its output is not to wait for threads that cannot end.
pub(super) fn ended(code: u8) {
    if PARENT.get().is_none() {
        return;
    }
    let _ = std::io::stdout().flush();
    if let Ok(nothing) = File::options().read(true).write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdin(&nothing);
        let _ = rustix::stdio::dup2_stdout(&nothing);
        let _ = rustix::stdio::dup2_stderr(&nothing);
    }
    tell(code);
}

fn tell(byte: u8) {
    if let Some(mut parent) = PARENT.get() {
        // A parent that is gone does not listen.
        let _ = parent.write_all(&[byte]);
    }
}

/// Does this command's work in a child; the code that it ended with.
///
/// # Errors
/// [`Timeout`](ErrorKind::Timeout) if nothing was heard of it at the deadline.
pub(super) fn in_child(timeout: Duration) -> Result<u8> {
    let began = Instant::now();
    let failed = |e: std::io::Error| Error::internal(format!("the work could not be begun in a child: {e}"));
    let (reader, writer) = std::io::pipe().map_err(failed)?;
    rustix::io::fcntl_setfd(&writer, rustix::io::FdFlags::empty()).map_err(|e| failed(e.into()))?;
    let program = std::env::current_exe().map_err(failed)?;
    let descriptor = writer.as_raw_fd().to_string();
    let mut command = Command::new(program);
    command.args(["--report-to", &descriptor]).args(std::env::args_os().skip(1));
    let mut child = command.spawn().map_err(failed)?;
    drop(writer);
    let said = listen(reader)?;
    let deadline = timeout.saturating_add(GRACE);
    let first = match said.recv_timeout(deadline.saturating_sub(began.elapsed())) {
        Ok(WORKED) => said.recv().map_err(|_| RecvTimeoutError::Disconnected),
        other => other,
    };
    match first {
        Ok(code) => Ok(code),
        Err(RecvTimeoutError::Timeout) => {
            // It closes its output and ends by itself. Killed, it would keep it open for as long as one of its
            // threads is in a call that does not return.
            Err(Error::new(ErrorKind::Timeout, "the deadline passed, and the work did not end by itself")
                .hint("a mount may hang: see whether its daemon lives"))
        }
        Err(RecvTimeoutError::Disconnected) => how_it_ended(&mut child),
    }
}

/// Bytes as they come, on a thread of its own.
fn listen(mut reader: PipeReader) -> Result<Receiver<u8>> {
    let (tell, said) = channel();
    let listen = move || {
        let mut byte = [0];
        while reader.read_exact(&mut byte).is_ok() && tell.send(byte[0]).is_ok() {}
    };
    let thread = std::thread::Builder::new().name("child".to_owned()).spawn(listen);
    thread.map_err(|e| Error::internal(format!("no thread to wait for the child: {e}")))?;
    Ok(said)
}

/// Of a child that ended without a word.
fn how_it_ended(child: &mut Child) -> Result<u8> {
    use std::os::unix::process::ExitStatusExt;
    let status = child.wait().map_err(|e| Error::internal(format!("the child is lost: {e}")))?;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
