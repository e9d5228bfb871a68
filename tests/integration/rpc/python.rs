//! libvirt-python, unmodified: `tests/libvirt/scenario.py`.

use std::process::Command;

use super::raw::uri;
use crate::support::Host;
use crate::support::libvirt::is_there;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/libvirt/scenario.py");

#[test]
fn libvirt_python_has_all_that_it_has_for_containers() {
    let test = "libvirt_python_has_all_that_it_has_for_containers";
    if !is_there(test) {
        return;
    }
    let Some(host) = Host::new(test) else { return };
    let document = host.directory.join("python.xml");
    std::fs::write(&document, host.document("python").to_string()).unwrap();
    let output = Command::new("/usr/bin/python3")
        .args([SCRIPT, &uri(&host)])
        .arg(&document)
        .output()
        .unwrap();
    let [out, error] = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
    assert!(output.status.success() && out == "ok\n", "{}\n{out}{error}", output.status);
    host.assert_idle();
}
