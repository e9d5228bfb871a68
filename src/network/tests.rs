use std::thread;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};

use super::*;
use crate::plan::Address;

/// Does something in a network namespace of its own; nothing as an ordinary user.
fn alone(act: impl FnOnce(Netlink) + Send + 'static) {
    let inside = || match unshare(CloneFlags::CLONE_NEWNET) {
        Ok(()) => act(Netlink::open().unwrap()),
        Err(Errno::EPERM) => {}
        Err(error) => panic!("{error}"),
    };
    thread::spawn(inside).join().unwrap();
}

#[test]
fn every_network_has_lo_and_what_is_missing_is_enodev() {
    let mut netlink = Netlink::open().unwrap();
    let lo = netlink.find("lo").unwrap();
    assert_eq!((lo.name.as_str(), lo.kind.as_deref()), ("lo", None));
    assert!(netlink.links().unwrap().contains(&lo));
    assert_eq!(netlink.find("nowhere").unwrap_err().errno, Errno::ENODEV);
    // The socket is as good as new after an error.
    assert_eq!(netlink.find("lo").unwrap(), lo);
}

#[test]
fn errors_are_in_the_kernels_words() {
    alone(|mut netlink| {
        let lo = netlink.find("lo").unwrap().index;
        let address = Address { address: "10.0.0.1".parse().unwrap(), prefix: 33, peer: None };
        let refused = netlink.add_address(lo, &address).unwrap_err();
        assert_eq!(refused.errno, Errno::EINVAL);
        assert!(refused.to_string().starts_with("Invalid argument"), "{refused}");
        let error = std::io::Error::from(Refused { errno: Errno::EINVAL, why: "no".to_owned() });
        assert_eq!(error.to_string(), "Invalid argument (no)");
        let bare = std::io::Error::from(Refused::from(Errno::EINVAL));
        assert_eq!(bare.raw_os_error(), Some(Errno::EINVAL as i32));
    });
}

#[test]
fn what_is_noted_is_removed_and_nothing_else() {
    alone(|mut netlink| {
        let here = std::fs::File::open("/proc/thread-self/ns/net").unwrap();
        let names = [("a0", "a1"), ("b0", "b1")];
        for (name, peer) in names {
            let namespace = std::os::fd::AsFd::as_fd(&here);
            let target =
                Target { namespace, name: peer, mac: [0x52, 0, 0, 0, 0, 1], mtu: Some(1400) };
            netlink.create(Kind::Veth(name), &target).unwrap();
            let again = netlink.create(Kind::Veth(name), &target).unwrap_err();
            assert_eq!(again.errno, Errno::EEXIST);
            let index = netlink.find(name).unwrap().index;
            netlink.note(index, name).unwrap();
        }
        assert_eq!(netlink.find("a0").unwrap().kind.as_deref(), Some("veth"));
        netlink.remove_noted("a0").unwrap();
        netlink.remove_noted("a0").unwrap();
        let left = netlink.links().unwrap();
        let left: Vec<&str> = left.iter().map(|link| link.name.as_str()).collect();
        assert_eq!((left.len(), left.contains(&"b0"), left.contains(&"b1")), (3, true, true));
    });
}

#[test]
fn broadcast_is_the_last_address_of_a_network_of_several() {
    let of = |address: &str, prefix, peer: Option<&str>| {
        let peer = peer.map(|peer| peer.parse().unwrap());
        address::broadcast(&Address { address: address.parse().unwrap(), prefix, peer })
            .map(|it| it.to_string())
    };
    assert_eq!(of("10.1.2.3", 24, None).as_deref(), Some("10.1.2.255"));
    assert_eq!(of("10.1.2.3", 8, None).as_deref(), Some("10.255.255.255"));
    assert_eq!(of("10.1.2.3", 31, None), None);
    assert_eq!(of("10.1.2.3", 24, Some("10.1.2.4")), None);
    assert_eq!(of("fd00::1", 64, None), None);
}
