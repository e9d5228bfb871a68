//! The commands of nsvirsh about documents, against what virsh prints.

use std::fs;

use crate::support::{Host, Nsvirsh, Said};

const NOT_RUNNING: &str = "Requested operation is not valid: domain is not running";

/// Runs each command line and compares all it says.
fn expect(nsvirsh: &Nsvirsh, cases: &[(&[&str], Said)]) {
    for (arguments, expected) in cases {
        assert_eq!(nsvirsh.run(arguments), *expected, "{arguments:?}");
    }
}

#[test]
fn descriptions_and_titles() {
    let Some(host) = Host::new("descriptions_and_titles") else { return };
    let sh = host.nsvirsh();
    host.bus().define(host.document("d")).unwrap();
    let set = "Failed to set new domain description";
    expect(
        &sh,
        &[
            (&["desc", "d"], Said::good("")),
            (&["desc", "d", "two", "words"], Said::good("")),
            (&["desc", "d"], Said::good("two words")),
            (&["desc", "--title", "d", "--new-desc=a", "--new-desc", "b"], Said::good("")),
            (&["desc", "d", "--title", "--config"], Said::good("a b")),
            (&["desc", "d", "--live", "x"], Said::bad(&[set, NOT_RUNNING])),
            (
                &["desc", "d", "--title", "a\nb"],
                Said::bad(&[
                    "Failed to set new domain title",
                    "metadata title can't contain newlines",
                ]),
            ),
            (
                &["desc", "d", "--current", "--live"],
                Said::bad(&["Options --current and --live are mutually exclusive"]),
            ),
            (
                &["-r", "desc", "d", "x"],
                Said::bad(&[
                    set,
                    "operation forbidden: read only access prevents virDomainSetMetadata",
                ]),
            ),
            (&["desc", "d", ""], Said::good("")),
            (&["desc", "d"], Said::good("")),
            (&["desc", "nope"], Said::bad(&["failed to get domain 'nope'"])),
        ],
    );
    let loud = sh.run(&["desc", "d", "--edit"]);
    assert!(!loud.good && loud.err.contains(") unexpected exit status 1\n"), "{loud:?}");
    let sh = sh.editor("echo 'new title' >$1");
    expect(
        &sh,
        &[
            (&["desc", "d", "--title", "--edit"], Said::good("")),
            (&["desc", "d", "--title"], Said::good("new title")),
            (&["desc", "d", "--title", "--edit", "given"], Said::good("")),
            (&["desc", "d", "--edit"], Said::good("")),
            (&["desc", "d"], Said::good("new title\n")),
        ],
    );
}

#[test]
fn metadata_of_programs() {
    let Some(host) = Host::new("metadata_of_programs") else { return };
    let sh = host.nsvirsh();
    host.bus().define(host.document("m")).unwrap();
    let missing = Said::bad(&["metadata not found: Requested metadata element is not present"]);
    expect(
        &sh,
        &[
            (&["metadata", "m", "urn:a"], missing.clone()),
            (&["metadata", "m", "urn:a", "--key", "a", "--set", "<x><y/></x>"], Said::good("")),
            (&["metadata", "m", "urn:a"], Said::good("<x>\n  <y/>\n</x>\n")),
            (
                &["metadata", "m", "urn:a", "--set", "<x/>"],
                Said::bad(&["namespace key is required when modifying metadata"]),
            ),
            (
                &["metadata", "m", "urn:a", "--edit", "--remove"],
                Said::bad(&["Options --remove and --edit are mutually exclusive"]),
            ),
            (
                &["metadata", "m", "urn:a", "--key", "a", "--set", ""],
                Said::bad(&["Failed to get option 'set': Option argument is empty"]),
            ),
            (&["metadata", "m", "urn:a", "--live"], Said::bad(&[NOT_RUNNING])),
            (
                &["metadata"],
                Said::bad(&[
                    "command 'metadata' requires <domain> option",
                    "command 'metadata' requires <uri> option",
                ]),
            ),
        ],
    );
    let sh = sh.editor("sed -i s/y/z/ $1");
    expect(
        &sh,
        &[
            (&["metadata", "m", "urn:a", "--edit", "--key", "a"], Said::good("")),
            (&["metadata", "m", "urn:a"], Said::good("<x>\n  <z/>\n</x>\n")),
            (&["metadata", "m", "urn:a", "--edit", "--key", "a"], Said::good("")),
            (&["metadata", "m", "urn:a", "--remove"], Said::good("")),
            (&["metadata", "m", "urn:a", "--remove"], Said::good("")),
            (&["metadata", "m", "urn:a"], missing),
        ],
    );
}

#[test]
fn documents_are_validated_when_asked_to() {
    let Some(host) = Host::new("documents_are_validated_when_asked_to") else { return };
    let sh = host.nsvirsh();
    let document = host.document("v").uuid("2fd4a6c0-7d1e-4f0b-9c55-000000000001");
    fs::write(host.directory.join("good.xml"), document.to_string()).unwrap();
    let unknown = document.clone().element("<foo/>").to_string();
    fs::write(host.directory.join("bad.xml"), unknown).unwrap();
    expect(
        &sh,
        &[
            (&["define", "good.xml", "--validate"], Said::good("")),
            (&["create", "good.xml", "--validate"], Said::good("")),
            (&["destroy", "v"], Said::good("")),
            (&["define", "bad.xml"], Said::good("")),
        ],
    );
    let refused = "error: XML document failed to validate against schema: line 1: <foo> ";
    for command in ["define", "create"] {
        let said = sh.run(&[command, "bad.xml", "--validate"]);
        let first = format!("error: Failed to {command} domain from bad.xml\n");
        assert!(said.err.starts_with(&format!("{first}{refused}")) && !said.good, "{said:?}");
    }
    // Those of other drivers are none of the grammar's.
    let foreign = document.to_string().replace("'lxc'", "'kvm'");
    fs::write(host.directory.join("foreign.xml"), foreign).unwrap();
    let said = sh.run(&["define", "foreign.xml", "--validate"]);
    let refused = "error: Failed to define domain from foreign.xml\nerror: invalid argument: ";
    assert!(said.err.starts_with(refused) && !said.good, "{said:?}");
    // What is edited is validated unless one says not to, before or after.
    let sh = host.nsvirsh().editor("sed -i 's/<memory/<foo\\/><memory/' $1");
    let said = sh.run(&["edit", "v"]);
    let expected = "error: Failed.\nerror: XML document failed to validate against schema: line ";
    assert!(said.err.starts_with(expected) && !said.good, "{said:?}");
    assert!(sh.answer(&["edit", "v"], "i").good);
    assert_eq!(sh.run(&["edit", "v", "--skip-validate"]), Said::good(""));
}

#[test]
fn passwords_are_shown_to_those_who_ask() {
    let Some(host) = Host::new("passwords_are_shown_to_those_who_ask") else { return };
    let screen = "<graphics type='vnc' passwd='sesame'/><video><model type='vga'/></video>";
    let domain = host.bus().define(host.document("p").device(screen)).unwrap();
    let sh = host.nsvirsh();
    let shows = |arguments: &[&str]| sh.run(arguments).out.contains(" passwd='sesame'");
    assert!(!shows(&["dumpxml", "p"]) && !shows(&["dumpxml", "p", "--inactive", "--migratable"]));
    assert!(shows(&["dumpxml", "p", "--security-info"]));
    // An edited definition keeps it.
    let sh = host.nsvirsh().editor("sed -i 's/<name>/<title>t<\\/title><name>/' $1");
    assert_eq!(sh.run(&["edit", "p"]), Said::good(""));
    assert!(domain.xml(1).unwrap().contains(" passwd='sesame'"));
    assert!(domain.xml(0).unwrap().contains("<title>t</title>"));
}

#[test]
fn documents_are_looked_into() {
    let Some(host) = Host::new("documents_are_looked_into") else { return };
    let sh = host.nsvirsh();
    let domain = host.run(&host.document("x").element("<title>t</title>"));
    let wrong = "internal error: Incorrect xpath 'count(//target)'";
    expect(
        &sh,
        &[
            (&["dumpxml", "x"], Said::good(&domain.xml(0).unwrap())),
            (&["dumpxml", "x", "--inactive"], Said::good(&domain.xml(2).unwrap())),
            (
                &["dumpxml", "x", "--security-info", "--migratable"],
                Said::good(&domain.xml(9).unwrap()),
            ),
            (
                &["dumpxml", "x", "--update-cpu"],
                Said::bad(&["unsupported flags (0x4) in function lxcDomainGetXMLDesc"]),
            ),
            (
                &["-r", "dumpxml", "x", "--security-info"],
                Said::bad(&["operation forbidden: virDomainGetXMLDesc with secure flag"]),
            ),
            (&["dumpxml", "x", "--xpath", "//title"], Said::good("<title>t</title>\n")),
            (&["dumpxml", "x", "--xpath", "//memory/@unit"], Said::good(" unit=\"KiB\"\n")),
            (&["dumpxml", "x", "--xpath", "//nothing"], Said::good("")),
            (
                &["dumpxml", "x", "--wrap", "--xpath", "(//name | //title)[last()]"],
                Said::good("<nodes>\n  <title>t</title>\n</nodes>\n"),
            ),
            (&["dumpxml", "x", "--xpath", "count(//target)"], Said::bad(&[wrong])),
        ],
    );
}

#[test]
fn the_host_in_numbers_is_the_host_in_xml() {
    let Some(host) = Host::new("the_host_in_numbers_is_the_host_in_xml") else { return };
    let sh = host.nsvirsh();
    let xml = sh.run(&["capabilities"]).out;
    let numbers = sh.run(&["nodeinfo"]).out;
    let number = |label: &str| {
        let line = numbers.lines().find_map(|line| line.strip_prefix(label)).unwrap();
        line.split_whitespace().next().unwrap().to_owned()
    };
    assert!(xml.starts_with("<capabilities>\n") && xml.ends_with("</capabilities>\n\n"), "{xml}");
    assert_eq!(number("CPU(s):"), xml.matches("<cpu id=").count().to_string());
    assert_eq!(number("NUMA cell(s):"), xml.matches("<cell id=").count().to_string());
    assert!(xml.contains(&format!("<arch>{}</arch>", number("CPU model:"))), "{xml}");
    let counts = ["NUMA cell(s):", "CPU socket(s):", "Core(s) per socket:", "Thread(s) per core:"];
    let product: u32 = counts.iter().map(|label| number(label).parse::<u32>().unwrap()).product();
    assert_eq!(number("CPU(s):"), product.to_string());
    let limits = sh.run(&["domcapabilities", "--virttype", "lxc"]);
    assert!(limits.out.starts_with("<domainCapabilities>\n"), "{limits:?}");
    let failure = sh.run(&["domcapabilities", "--virttype", "qemu"]);
    assert!(failure.err.starts_with("error: failed to get emulator capabilities\nerror: "));
}

#[test]
fn configurations_are_converted_with_what_is_missing_beside_them() {
    let name = "configurations_are_converted_with_what_is_missing_beside_them";
    let Some(host) = Host::new(name) else { return };
    let sh = host.nsvirsh();
    let config = "lxc.uts.name = web\nlxc.rootfs.path = /srv/web\nlxc.cap.drop = sys_time\n\
                  lxc.hook.start = /bin/true\n";
    fs::write(host.directory.join("web.conf"), config).unwrap();
    let said = sh.run(&["domxml-from-native", "lxc-tools", "web.conf"]);
    assert!(said.good && said.out.contains("  <name>web</name>\n"), "{said:?}");
    assert!(said.err.starts_with("not carried over:\n- ") && said.err.contains("lxc.hook.start"));
    fs::write(host.directory.join("web.xml"), &said.out).unwrap();
    let from_file = sh.run(&["domxml-to-native", "lxc-tools", "--xml", "web.xml"]);
    assert!(from_file.good && from_file.out.contains("lxc.uts.name = web\n"), "{from_file:?}");
    host.bus().define(&said.out).unwrap();
    let of_domain = sh.run(&["domxml-to-native", "lxc-tools", "--domain", "web"]);
    // A definition has an architecture, the host's.
    let rest: Vec<_> = of_domain.out.lines().filter(|it| !it.starts_with("lxc.arch = ")).collect();
    assert_eq!(rest, from_file.out.lines().collect::<Vec<_>>());
    let unknown = "invalid argument: unsupported config type foo: expected lxc-tools";
    let nowhere = "Failed to open file 'nowhere': No such file or directory";
    expect(
        &sh,
        &[
            (&["domxml-from-native", "foo", "web.conf"], Said::bad(&[unknown])),
            (&["domxml-from-native", "lxc-tools", "nowhere"], Said::bad(&[nowhere])),
            (&["domxml-to-native", "lxc-tools"], Said::bad(&["need either domain or domain XML"])),
            (
                &["domxml-to-native", "lxc-tools", "--domain", "web", "--xml", "web.xml"],
                Said::bad(&["Options --domain and --xml are mutually exclusive"]),
            ),
        ],
    );
}

#[test]
fn a_definition_is_edited() {
    let Some(host) = Host::new("a_definition_is_edited") else { return };
    let domain = host.bus().define(host.document("e").element("<title>one</title>")).unwrap();
    let title = || domain.metadata(1, "", 0).unwrap();

    // The file is the user's alone, and gone afterwards.
    let look = host.directory.join("look");
    let script = format!("stat -c %a $1 >{0}; head -n 2 $1 >>{0}", look.display());
    let sh = host.nsvirsh().editor(&script);
    assert_eq!(sh.run(&["edit", "e"]), Said::good(""));
    let seen = fs::read_to_string(&look).unwrap();
    assert_eq!(seen, "600\n<domain type='lxc'>\n  <name>e</name>\n");
    let left = fs::read_dir(&host.directory).unwrap().flatten();
    let left = left.filter(|it| it.path().extension().is_some_and(|it| it == "xml"));
    assert_eq!(left.count(), 0);

    let sh = host.nsvirsh().editor("sed -i 's/>one</>two</' $1");
    assert_eq!(sh.run(&["edit", "e"]), Said::good(""));
    assert_eq!(title(), "two");
    let forbidden = "operation forbidden: virDomainGetXMLDesc with secure flag";
    assert_eq!(sh.run(&["-r", "edit", "e"]), Said::bad(&[forbidden]));

    // An editor that fails changes nothing.
    let sh = host.nsvirsh().editor("sed -i 's/>two</>three</' $1; exit 3");
    let failed = sh.run(&["edit", "e"]);
    assert!(failed.err.ends_with(") unexpected exit status 3\n") && !failed.good, "{failed:?}");
    assert_eq!(title(), "two");
}

#[test]
fn an_edited_definition_that_is_refused_is_asked_about() {
    let name = "an_edited_definition_that_is_refused_is_asked_about";
    let Some(host) = Host::new(name) else { return };
    let domain = host.bus().define(host.document("q").element("<title>one</title>")).unwrap();
    let title = || domain.metadata(1, "", 0).unwrap();
    // The first time it breaks the document, the second time it repairs it.
    let script = "if grep -q '<ttle' $1; then sed -i 's/<ttle>.*/<title>two<\\/title>/' $1\n\
                  else sed -i 's/<title>/<ttle>/' $1; fi";
    let sh = host.nsvirsh().editor(script);
    let refused = "XML error: line 4: expected </ttle> for the element opened in line 4, found \
                   </title>";
    // Without a terminal there is nobody to ask.
    assert_eq!(sh.run(&["edit", "q"]), Said::bad(&["Failed.", refused]));
    let question = "\rFailed. Try again? [y,n,i,f,?]: ";
    let said = sh.answer(&["edit", "q"], "n");
    assert_eq!((said.good, said.out, said.err), {
        let err = format!("error: {refused}\n");
        (false, format!("{question}\n"), err)
    });
    assert_eq!(title(), "one");
    let said = sh.answer(&["edit", "q"], "?xfy");
    let help = "y - yes, start editor again\nn - no, throw away my changes\n\
                i - turn off validation and try to redefine again\n\
                f - force, try to redefine again\n? - print this help\n";
    let out = format!("{question}\n{help}{question}{question}\n{question}\n");
    assert_eq!((said.good, said.out), (true, out));
    assert_eq!(said.err, format!("error: {refused}\n").repeat(2));
    assert_eq!(title(), "two");

    // Somebody else was faster.
    let sh = host.nsvirsh();
    let other = format!("{} desc q other", sh.line());
    let sh = sh.editor(&format!("sed -i 's/>two</>three</' $1; {other}"));
    let changed = "The XML configuration was changed by another user.";
    assert_eq!(sh.run(&["edit", "q"]), Said::bad(&[changed]));
    assert_eq!(title(), "two");
    let sh = host.nsvirsh();
    let other = format!("{} desc q another", sh.line());
    let sh = sh.editor(&format!("sed -i 's/>two</>three</' $1; {other}"));
    let said = sh.answer(&["edit", "q"], "f");
    assert_eq!(said, Said::good(&format!("\r{changed} Try again? [y,n,i,f,?]: \n")));
    assert_eq!(title(), "three");
}

/// Everything here is what virsh 9 prints of libvirt's driver, but that an alias finds a device.
#[test]
fn devices_of_definitions() {
    let Some(host) = Host::new("devices_of_definitions") else { return };
    let sh = host.nsvirsh();
    let net = |mac: &str, bridge: &str| {
        format!(
            "<interface type='bridge'><mac address='{mac}'/><source bridge='{bridge}'/></interface>"
        )
    };
    let (first, second) = (net("52:54:00:00:00:01", "br0"), net("52:54:00:00:00:02", "br0"));
    let document = host.document("d").device(&first).device(&second);
    host.bus().define(document).unwrap();
    let file = |name: &str, xml: &str| {
        let path = host.directory.join(name);
        fs::write(&path, xml).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let disk = "<disk type='block'><source dev='/dev/loop0'/><target dev='sdb'/></disk>";
    let (disk, net) = (file("disk", disk), file("net", &net("52:54:00:00:00:01", "br9")));
    let attach = format!("Failed to attach device from {disk}");
    let exclusive = |one: &str, other: &str| {
        Said::bad(&[&format!("Options --{one} and --{other} are mutually exclusive")])
    };
    let taken = "invalid argument: target sdb already exists.";
    let good = || Said::good("");
    let update = format!("Failed to update device from {disk}");
    expect(
        &sh,
        &[
            (&["attach-device", "d", &disk, "--config"], good()),
            (&["attach-device", "d", &disk, "--config"], Said::bad(&[&attach, taken])),
            (&["attach-device", "d", &disk, "--persistent"], Said::bad(&[&attach, taken])),
            (&["attach-device", "d", &disk, "--live"], Said::bad(&[&attach, NOT_RUNNING])),
            (&["attach-device", "d", &disk], Said::bad(&[&attach, NOT_RUNNING])),
            (&["attach-device", "d", &disk, "--current", "--live"], exclusive("current", "live")),
            (
                &["attach-device", "d", &disk, "--persistent", "--current"],
                exclusive("persistent", "current"),
            ),
            (
                &["attach-device", "d", "/nope.xml"],
                Said::bad(&["Failed to open file '/nope.xml': No such file or directory"]),
            ),
            (&["detach-device", "d", &disk, "--persistent"], good()),
            (&["update-device", "d", &net], good()),
            (
                &["update-device", "d", &disk],
                Said::bad(&[
                    &update,
                    "unsupported configuration: persistent update of device is not supported",
                ]),
            ),
            (
                &["update-device", "d", &disk, "--force"],
                Said::bad(&[
                    &update,
                    "unsupported flags (0x4) in function lxcDomainUpdateDeviceFlags",
                ]),
            ),
            (
                &["detach-device-alias", "d", "net0"],
                Said::bad(&[
                    "Failed to detach device with alias net0",
                    "device not found: no device found with alias net0",
                ]),
            ),
            (
                &[
                    "attach-interface",
                    "d",
                    "bridge",
                    "br0",
                    "--mac",
                    "52:54:00:11:22:33",
                    "--config",
                ],
                good(),
            ),
            (
                &["attach-interface", "d", "bridge", "br0", "--live"],
                Said::bad(&["Failed to attach interface", NOT_RUNNING]),
            ),
            (
                &["detach-interface", "d", "bridge", "--mac", "52:54:00:11:22:33", "--config"],
                good(),
            ),
            (
                &["detach-interface", "d", "bridge", "--mac", "52:54:00:11:22:33", "--config"],
                Said::bad(&[
                    "No interface with MAC address 52:54:00:11:22:33 was found",
                    "Failed to detach interface",
                ]),
            ),
            (
                &["detach-interface", "d", "bridge", "--config"],
                Said::bad(&[
                    "Domain has 2 interfaces. Please specify which one to detach using --mac",
                    "Failed to detach interface",
                ]),
            ),
            (
                &["detach-interface", "d", "foo"],
                Said::bad(&["No interface found whose type is foo", "Failed to detach interface"]),
            ),
            (
                &["detach-interface", "d", "bridge", "--print-xml", "--mac", "52:54:00:00:00:02"],
                Said::good(
                    "<interface type=\"bridge\">\n      <mac address=\"52:54:00:00:00:02\"/>\n      \
                     <source bridge=\"br0\"/>\n    </interface>",
                ),
            ),
            (
                &["attach-disk", "d", "/dev/loop1", "sdc", "--sourcetype", "block", "--config"],
                good(),
            ),
            (
                &["attach-disk", "d", "/dev/loop1", "sdc", "--config"],
                Said::bad(&[
                    "Failed to attach disk",
                    "invalid argument: target sdc already exists.",
                ]),
            ),
            (
                &["attach-disk", "d", "/x.img", "sdd", "--print-xml"],
                Said::good(
                    "<disk type='file'>\n  <source file='/x.img'/>\n  <target dev='sdd'/>\n</disk>\n",
                ),
            ),
            (
                &["detach-disk", "d", "sdz"],
                Said::bad(&["No disk found whose source path or target is sdz"]),
            ),
            (&["detach-disk", "d", "sdc"], Said::bad(&["Failed to detach disk", NOT_RUNNING])),
            (&["detach-disk", "d", "/dev/loop1", "--config"], good()),
            (
                &["-r", "detach-disk", "d", "sdc"],
                Said::bad(&["No disk found whose source path or target is sdc"]),
            ),
            (
                &["-r", "attach-device", "d", &disk, "--config"],
                Said::bad(&[
                    &attach,
                    "operation forbidden: read only access prevents virDomainAttachDevice",
                ]),
            ),
        ],
    );
    let left = host.bus().by_name("d").unwrap().xml(2).unwrap();
    assert!(left.contains("<source bridge='br9'/>") && !left.contains("<disk"), "{left}");
}

#[test]
fn devices_of_a_running_domain_by_name() {
    let Some(host) = Host::new("devices_of_a_running_domain_by_name") else { return };
    let domain = host.bus().define(host.document("d")).unwrap();
    domain.create().unwrap();
    let sh = host.nsvirsh();
    let image = host.directory.join("image");
    fs::File::create(&image).unwrap().set_len(1 << 20).unwrap();
    let image = image.to_str().unwrap();
    let has = |flags: u32| domain.xml(flags).unwrap().contains("<target dev='sdb'");
    expect(&sh, &[(&["attach-disk", "d", image, "sdb", "--persistent"], Said::good(""))]);
    assert!(has(0) && has(2));
    expect(
        &sh,
        &[
            (&["detach-device-alias", "d", "disk-sdb"], Said::good("")),
            (
                &["detach-disk", "d", "sdb", "--live"],
                Said::bad(&["No disk found whose source path or target is sdb"]),
            ),
            (&["detach-disk", "d", "sdb", "--config"], Said::good("")),
        ],
    );
    assert!(!has(0) && !has(2));
    domain.destroy().unwrap();
}
