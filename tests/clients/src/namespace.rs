//! Creates a new network namespace for this process, with only loopback in it.
//!
//! With a network, a real client would report usage, update itself and request feature flags.

use std::{
    fs, io,
    net::{Ipv4Addr, UdpSocket},
};

use anyhow::{Context as _, bail};
use rustix::{
    ioctl::{Opcode, Setter, ioctl},
    thread::UnshareFlags,
};

/// `SIOCSIFFLAGS` of `linux/sockios.h`: sets an interface's flags.
const SET_FLAGS: Opcode = 0x8914;
/// `IFF_UP | IFF_RUNNING` of `linux/if.h`.
const UP: u16 = 0x1 | 0x40;

/// The kernel's `struct ifreq`, of which only the name and the flags are used.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; 16],
    flags: u16,
    rest: [u8; 22],
}

/// Moves this process, and with it all processes that it will start, into a new network namespace. Must be called while
/// the process has one thread. Fails if the system refuses, or if a route leads out of the namespace.
pub(crate) fn enter() -> anyhow::Result<()> {
    leave_the_old_one()
        .context("this system refuses a network namespace (`unshare -n` as root, `unshare -rn` otherwise)")?;
    raise_loopback().context("loopback cannot be set up in the new network namespace")?;
    let routes = [read("/proc/self/net/route")?, read("/proc/self/net/ipv6_route")?];
    if let Some(route) = leads_out(&routes[0], &routes[1]) {
        bail!("the new network namespace has a route out: {route}");
    }
    Ok(())
}

fn leave_the_old_one() -> io::Result<()> {
    if unshare(UnshareFlags::NEWNET).is_ok() {
        return Ok(());
    }
    // Whoever is not root becomes the owner of a user namespace first.
    let (user, group) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNET)?;
    // Without this no group may be mapped: user_namespaces(7).
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
}

#[expect(unsafe_code, reason = "the system call is unsafe for one of its flags")]
fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: only `UnshareFlags::FILES` can make descriptors unusable, and no caller here passes it.
    Ok(unsafe { rustix::thread::unshare_unsafe(flags) }?)
}

#[expect(unsafe_code, reason = "there is no safe call that brings an interface up")]
fn raise_loopback() -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let mut name = [0; 16];
    name[..2].copy_from_slice(b"lo");
    let request = InterfaceRequest { name, flags: UP, rest: [0; 22] };
    // SAFETY: SIOCSIFFLAGS reads a `struct ifreq`, which `InterfaceRequest` is in size and layout, and writes nothing.
    Ok(unsafe { ioctl(&socket, Setter::<SET_FLAGS, InterfaceRequest>::new(request)) }?)
}

fn read(path: &str) -> anyhow::Result<String> {
    match fs::read_to_string(path) {
        // Without IPv6 there is no such file.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        other => other.with_context(|| format!("cannot read {path}")),
    }
}

/// Returns the first route that does not end at loopback, from the kernel's tables: `/proc/net/route`, which has a
/// heading and names the interface first, and `/proc/net/ipv6_route`, which names it last.
fn leads_out<'a>(route: &'a str, ipv6_route: &'a str) -> Option<&'a str> {
    let first = route.lines().skip(1).map(|line| (line, line.split_whitespace().next()));
    let last = ipv6_route.lines().map(|line| (line, line.split_whitespace().next_back()));
    first.chain(last).find(|(_, interface)| interface.is_some_and(|name| name != "lo")).map(|(line, _)| line)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADING: &str =
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
    const LOOPBACK: &str = "00000000000000000000000000000001 80 00000000000000000000000000000000 00 \
                            00000000000000000000000000000000 00000000 00000002 00000000 80200001       lo\n";

    #[test]
    fn loopback_is_no_way_out_and_everything_else_is() {
        assert_eq!(leads_out(HEADING, LOOPBACK), None);
        assert_eq!(leads_out("", ""), None);
        let route = "eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0";
        assert_eq!(leads_out(&format!("{HEADING}{route}\n"), LOOPBACK), Some(route));
        let other = LOOPBACK.replace("lo\n", "eth0");
        assert_eq!(leads_out(HEADING, &format!("{LOOPBACK}{other}")), Some(other.as_str()));
    }
}
