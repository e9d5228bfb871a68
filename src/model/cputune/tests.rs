use super::super::samples::{assert_faults, parse, printed};

fn tuned(inside: &str) -> String {
    format!("<vcpu>4</vcpu><iothreads>2</iothreads><cputune>{inside}</cputune>")
}

/// The lines inside `<cputune>`.
fn lines(inside: &str) -> Vec<String> {
    let printed = printed(&tuned(inside)).into_iter();
    printed
        .skip_while(|line| line != "  <cputune>")
        .skip(1)
        .take_while(|l| l != "  </cputune>")
        .collect()
}

#[test]
fn limits_come_back_in_libvirts_order() {
    let text = "<iothread_quota>-1</iothread_quota><quota>1000</quota><period>1000</period>\
                <global_period>5000</global_period><shares> 2</shares>";
    assert_eq!(
        lines(text),
        [
            "    <shares>2</shares>",
            "    <period>1000</period>",
            "    <quota>1000</quota>",
            "    <global_period>5000</global_period>",
            "    <iothread_quota>-1</iothread_quota>",
        ]
    );
    assert!(lines("<period>0</period><quota>0</quota>").is_empty());
    assert_eq!(parse(&tuned("<shares>0</shares>")).cpu_tune.shares, Some(0));
}

#[test]
fn pins_and_schedulers_are_sorted() {
    let text = "<vcpusched vcpus='1,0' scheduler='fifo' priority='-3'/>\
                <emulatorsched scheduler='idle' priority='1'/><vcpupin vcpu='9' cpuset='1'/>\
                <vcpupin vcpu='1' cpuset='1'/><vcpupin vcpu='0' cpuset='3,2'/>\
                <iothreadpin iothread='2' cpuset='0'/><emulatorpin cpuset='0'/>\
                <iothreadsched iothreads='1' scheduler='rr' priority='2'/>";
    assert_eq!(
        lines(text),
        [
            "    <vcpupin vcpu='0' cpuset='2-3'/>",
            "    <vcpupin vcpu='1' cpuset='1'/>",
            "    <emulatorpin cpuset='0'/>",
            "    <iothreadpin iothread='2' cpuset='0'/>",
            "    <emulatorsched scheduler='idle'/>",
            "    <vcpusched vcpus='0' scheduler='fifo' priority='-3'/>",
            "    <vcpusched vcpus='1' scheduler='fifo' priority='-3'/>",
            "    <iothreadsched iothreads='1' scheduler='rr' priority='2'/>",
        ]
    );
}

#[test]
fn faults() {
    let unsupported = |detail: &str| format!("unsupported configuration: line 2: {detail}");
    let internal = |detail: &str| format!("internal error: line 2: {detail}");
    let cases = [
        (
            "<shares>1</shares>",
            unsupported("Value of cputune 'shares' must be in range [2, 262144], not '1'"),
        ),
        (
            "<emulator_quota>5</emulator_quota>",
            unsupported(
                "Value of cputune 'emulator_quota' must be in range [1000, 17592186044415], \
                 not '5'",
            ),
        ),
        (
            "<iothread_period>z</iothread_period>",
            "XML error: line 2: can't parse cputune iothread period value 'z': expected a number"
                .to_owned(),
        ),
        ("<emulatorpin/>", internal("missing cpuset for emulatorpin")),
        (
            "<vcpupin vcpu='0' cpuset='0'/><vcpupin vcpu='0' cpuset='0'/>",
            internal("duplicate vcpupin for vcpu '0'"),
        ),
        ("<iothreadpin iothread='3' cpuset='0'/>", unsupported("Cannot find 'iothread' : 3")),
        (
            "<vcpusched vcpus='0-1' scheduler='idle'/><vcpusched vcpus='1' scheduler='idle'/>",
            "line 2: 'vcpusched' attributes 'vcpus' must not overlap".to_owned(),
        ),
        (
            "<vcpusched vcpus='4' scheduler='idle'/>",
            unsupported("vCPU '4' is not present in domain definition"),
        ),
        (
            "<emulatorsched scheduler='fifo'/>",
            "XML error: line 2: Missing required attribute 'priority' in element 'emulatorsched'"
                .to_owned(),
        ),
    ];
    for (inside, expected) in cases {
        assert_faults(&[(&tuned(inside), &expected)]);
    }
}
