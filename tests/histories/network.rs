//! A network of its own for each member of a cluster, whose cable can be pulled: namespaces and a bridge.

use std::process::Command;

/// Taken down when it is dropped.
pub(crate) struct Network {
    tag: String,
    subnet: u32,
    members: usize,
}

impl Network {
    /// For so many members; none where this process may not make one, and why.
    pub(crate) fn new(members: usize) -> Result<Self, String> {
        let pid = std::process::id();
        let network = Self { tag: format!("hy{}", pid % 100_000), subnet: pid % 250 + 1, members };
        network.make()?;
        Ok(network)
    }

    fn make(&self) -> Result<(), String> {
        let bridge = self.bridge();
        ip(&format!("link add {bridge} type bridge"))?;
        ip(&format!("addr add 10.213.{}.1/24 dev {bridge}", self.subnet))?;
        ip(&format!("link set {bridge} up"))?;
        for (nth, (space, host)) in self.members().into_iter().enumerate() {
            let cable = self.cable(nth);
            ip(&format!("netns add {space}"))?;
            ip(&format!("link add {cable} type veth peer name eth0 netns {space}"))?;
            ip(&format!("link set {cable} master {bridge} up"))?;
            ip(&format!("-n {space} addr add {host}/24 dev eth0"))?;
            ip(&format!("-n {space} link set eth0 up"))?;
            ip(&format!("-n {space} link set lo up"))?;
        }
        Ok(())
    }

    fn bridge(&self) -> String {
        format!("{}b", self.tag)
    }

    fn cable(&self, nth: usize) -> String {
        format!("{}c{nth}", self.tag)
    }

    /// The namespace and the address of each.
    pub(crate) fn members(&self) -> Vec<(String, String)> {
        (0..self.members)
            .map(|nth| (format!("{}n{nth}", self.tag), format!("10.213.{}.{}", self.subnet, nth + 11)))
            .collect()
    }

    /// From now on a member lives, and neither hears nor is heard by anybody; or it is back.
    pub(crate) fn pull(&self, nth: usize, is_pulled: bool) {
        ip(&format!("link set {} {}", self.cable(nth), if is_pulled { "down" } else { "up" })).unwrap();
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for (nth, (space, _)) in self.members().into_iter().enumerate() {
            let _ = ip(&format!("link del {}", self.cable(nth)));
            let _ = ip(&format!("netns del {space}"));
        }
        let _ = ip(&format!("link del {}", self.bridge()));
    }
}

fn ip(arguments: &str) -> Result<(), String> {
    let ran = Command::new("ip").args(arguments.split(' ')).output().map_err(|e| format!("ip: {e}"))?;
    match ran.status.success() {
        true => Ok(()),
        false => Err(format!("ip {arguments}: {}", String::from_utf8_lossy(&ran.stderr).trim())),
    }
}
