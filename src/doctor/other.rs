//! Another process, which does to the same files what it is told, at the same time.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A shell: every Unix has one, whatever program this library is part of. Its `-C` makes `>` open with `O_EXCL`.
const SCRIPT: &str = r#"
set -C
while read -r what name; do
    case $what in
        make) (: >"$name") 2>/dev/null && echo won || echo lost ;;
        lock) if command -v flock >/dev/null; then
                (flock -n 9 && echo free || echo held) 9>>"$name" || echo failed
              else echo missing; fi ;;
        count) wc -c <"$name" || echo failed ;;
    esac
done 2>/dev/null
"#;

#[derive(Debug)]
pub(super) struct Other {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Other {
    /// Starts it in `folder`, so that what it is told are bare names.
    pub(super) fn start(folder: &Path) -> io::Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT]).current_dir(folder);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let gone = || io::Error::other("the other process has no pipes");
        let to = child.stdin.take().ok_or_else(gone)?;
        let from = child.stdout.take().ok_or_else(gone)?;
        Ok(Self { child, to: Some(to), from: BufReader::new(from) })
    }

    /// Tells it what to do.
    pub(super) fn tell(&mut self, what: &str, name: &str) -> io::Result<()> {
        let to = self.to.as_mut().ok_or_else(|| io::Error::other("the other process has ended"))?;
        writeln!(to, "{what} {name}").and_then(|()| to.flush())
    }

    /// What it found.
    pub(super) fn answer(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.from.read_line(&mut line)? == 0 {
            return Err(io::Error::other("the other process has ended"));
        }
        Ok(line.trim().to_owned())
    }

    pub(super) fn ask(&mut self, what: &str, name: &str) -> io::Result<String> {
        self.tell(what, name).and_then(|()| self.answer())
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.to = None;
        let _ = self.child.wait();
    }
}
