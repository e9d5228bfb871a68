//! The shortest way through everything.

use crate::support::{Host, Step};

#[test]
fn a_container_says_hello_and_is_destroyed() {
    let Some(host) = Host::new("a_container_says_hello_and_is_destroyed") else {
        return;
    };
    let events = host.bus().events();
    let domain = host.run(&host.document("hello"));
    let mut console = domain.console();
    console.wait_for("ready\r\n");
    console.type_line("hello");
    console.wait_for("got hello\r\n");
    assert_eq!(domain.state(), (1, 1));
    domain.destroy().unwrap();
    events.expect(&domain, &[Step::STARTED, Step::DESTROYED]);
    host.assert_idle();
}
