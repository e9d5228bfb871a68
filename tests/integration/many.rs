//! Many containers at once on one daemon.

use std::collections::BTreeSet;
use std::thread;

use crate::support::{Host, Step};

const COUNT: usize = 50;

#[test]
fn fifty_containers_go_up_and_down_at_once() {
    let Some(host) = Host::new("fifty_containers_go_up_and_down_at_once") else {
        return;
    };
    let bus = host.bus();
    let events = bus.events();
    let documents: Vec<_> =
        (0..COUNT).map(|number| host.document(&format!("many{number}"))).collect();
    let domains: Vec<_> = thread::scope(|scope| {
        let run = |document| {
            let bus = &bus;
            scope.spawn(move || bus.create_xml(document).unwrap())
        };
        let threads: Vec<_> = documents.iter().map(run).collect();
        threads.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert_eq!(bus.list(1).unwrap().len(), COUNT);
    let ids: BTreeSet<u32> = domains.iter().map(|it| it.id()).collect();
    assert_eq!(ids.len(), COUNT);
    thread::scope(|scope| {
        for domain in &domains {
            scope.spawn(|| domain.assert_answers());
        }
    });
    thread::scope(|scope| {
        for domain in &domains {
            scope.spawn(|| domain.destroy().unwrap());
        }
    });
    // Each was started once and destroyed once, in that order.
    let mut started = BTreeSet::new();
    let mut destroyed = BTreeSet::new();
    for _ in 0..2 * COUNT {
        match events.next() {
            (path, Step::STARTED) => assert!(started.insert(path)),
            (path, Step::DESTROYED) => {
                assert!(started.contains(&path));
                assert!(destroyed.insert(path));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(started, destroyed);
    host.assert_idle();
}

#[test]
fn one_name_is_given_once() {
    let Some(host) = Host::new("one_name_is_given_once") else {
        return;
    };
    let bus = host.bus();
    let document = host.document("wanted");
    let results: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(|| bus.create_xml(&document))).collect();
        threads.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert_eq!(results.iter().filter(|it| it.is_ok()).count(), 1, "{results:#?}");
    for failure in results.into_iter().filter_map(Result::err) {
        let phrase = "operation failed: domain 'wanted' already exists with uuid ";
        assert!(failure.text.starts_with(phrase), "{failure:?}");
    }
    bus.by_name("wanted").unwrap().assert_answers();
}

#[test]
fn operations_on_one_domain_take_turns() {
    let Some(host) = Host::new("operations_on_one_domain_take_turns") else {
        return;
    };
    let domain = host.bus().define(host.document("turns")).unwrap();
    thread::scope(|scope| {
        for number in 0..24 {
            let domain = &domain;
            scope.spawn(move || {
                let result = match number % 4 {
                    0 | 1 => domain.create(),
                    2 => domain.suspend().and_then(|()| domain.resume()),
                    _ => domain.destroy(),
                };
                if let Err(failure) = result {
                    let phrase = "requested operation is not valid: domain is ";
                    let text = failure.text.to_lowercase();
                    assert!(text.starts_with(phrase), "{failure:?}");
                }
            });
        }
    });
    if domain.state().0 == 5 {
        domain.create().unwrap();
    }
    domain.assert_answers();
    domain.destroy().unwrap();
    host.assert_idle();
}
