//! A real etcd, on free ports of this machine, with its data in a temporary folder.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::world::within;

/// One for all cases that do it no harm.
pub fn shared() -> String {
    static SHARED: OnceLock<String> = OnceLock::new();
    let start = || {
        let (sender, receiver) = std::sync::mpsc::channel();
        // It is ended with the thread that started it, and that ends with this process.
        std::thread::spawn(move || {
            let servers = Servers::start(1);
            sender.send(servers.endpoints()).unwrap();
            loop {
                std::thread::park();
            }
        });
        receiver.recv().unwrap()
    };
    SHARED.get_or_init(start).clone()
}

/// A cluster, which is ended with this.
pub struct Servers {
    nodes: Vec<Node>,
    folder: tempfile::TempDir,
}

struct Node {
    /// Where it listens, and the network namespace that it is in, if it is not this process's own.
    host: String,
    space: Option<String>,
    client: u16,
    peer: u16,
    child: Option<Child>,
}

fn ports(count: usize) -> Vec<u16> {
    let open: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    open.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

impl Servers {
    pub fn start(count: usize) -> Self {
        let ports = ports(2 * count);
        let node = |two: &[u16]| Node {
            host: "127.0.0.1".to_owned(),
            space: None,
            client: two[0],
            peer: two[1],
            child: None,
        };
        Self::of(ports.chunks(2).map(node).collect())
    }

    /// Members in network namespaces: each with its own name and address.
    pub fn start_in(spaces: &[(String, String)]) -> Self {
        let node = |(space, host): &(String, String)| Node {
            host: host.clone(),
            space: Some(space.clone()),
            client: 2379,
            peer: 2380,
            child: None,
        };
        Self::of(spaces.iter().map(node).collect())
    }

    fn of(nodes: Vec<Node>) -> Self {
        // In memory, where there is such a place: what is tested is not etcd's own fsync.
        let memory = std::path::Path::new("/dev/shm");
        let folder =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let count = nodes.len();
        let mut servers = Self { nodes, folder };
        for node in 0..count {
            servers.run(node);
        }
        servers.wait();
        servers
    }

    pub fn endpoints(&self) -> String {
        let one = |node: &Node| format!("{}:{}", node.host, node.client);
        self.nodes.iter().map(one).collect::<Vec<_>>().join(",")
    }

    /// Starts a node, on the data that it left.
    pub fn run(&mut self, nth: usize) {
        let peer = |(nth, node): (usize, &Node)| format!("n{nth}=http://{}:{}", node.host, node.peer);
        let peers = self.nodes.iter().enumerate().map(peer).collect::<Vec<_>>().join(",");
        let node = &self.nodes[nth];
        let (client, own) =
            (format!("http://{}:{}", node.host, node.client), format!("http://{}:{}", node.host, node.peer));
        let mut command = match &node.space {
            None => Command::new("setpriv"),
            Some(space) => {
                // It becomes the program that it is told, so a signal reaches that.
                let mut command = Command::new("ip");
                command.args(["netns", "exec", space, "setpriv"]);
                command
            }
        };
        command.args(["--pdeathsig", "KILL", "etcd", "--name", &format!("n{nth}")]);
        command.arg("--data-dir").arg(self.data(nth));
        command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
        command.args(["--listen-peer-urls", &own, "--initial-advertise-peer-urls", &own]);
        command.args(["--initial-cluster", &peers, "--log-level", "error"]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.nodes[nth].child =
            Some(child.expect("setpriv (util-linux) and etcd (etcd-server) are installed"));
    }

    /// Waits until a leader is known.
    pub fn wait(&self) {
        let endpoints = self.endpoints();
        within(Duration::from_secs(20), "etcd answers", || {
            let settings = hypostyle_lock::etcd::EtcdSettings::new(&endpoints).unwrap().prefix("/probe");
            hypostyle_lock::etcd::EtcdLocks::connect(settings.call_timeout(Duration::from_secs(1))).is_ok()
        });
    }

    pub fn kill(&mut self, nth: usize) {
        if let Some(mut child) = self.nodes[nth].child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Where a node keeps what it knows.
    pub fn data(&self, nth: usize) -> std::path::PathBuf {
        self.folder.path().join(format!("n{nth}"))
    }

    /// Kills a node, and removes what it knew.
    pub fn wipe(&mut self, nth: usize) {
        self.kill(nth);
        std::fs::remove_dir_all(self.data(nth)).unwrap();
    }

    pub fn signal(&self, nth: usize, signal: Signal) {
        let child = self.nodes[nth].child.as_ref().unwrap();
        rustix::process::kill_process(Pid::from_child(child), signal).unwrap();
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for node in 0..self.nodes.len() {
            self.kill(node);
        }
    }
}
