//! The rows of the table of commands.

use super::{Command, Group, Hint, Kind, Opt, devices};
use crate::cmd;
use crate::outcome::Outcome;
use crate::parse::Args;
use crate::shell::Shell;

pub(super) const fn flag(name: &'static str, help: &'static str) -> Opt {
    Opt { name, kind: Kind::Flag, help, hint: Hint::None }
}

pub(super) const fn opt(name: &'static str, kind: Kind, hint: Hint, help: &'static str) -> Opt {
    Opt { name, kind, help, hint }
}

const fn domain(help: &'static str) -> Opt {
    opt("domain", Kind::Data, Hint::Domain, help)
}

pub(super) const DOMAIN: Opt = domain("id, uuid or name of the domain");
const FILE: Opt = opt("file", Kind::Data, Hint::File, "file with the domain's XML");
const MODE: Opt = opt(
    "mode",
    Kind::Text,
    Hint::Words(&["acpi", "agent", "initctl", "signal", "paravirt"]),
    "ways to try, joined by commas: acpi|agent|initctl|signal|paravirt",
);
pub(super) const LIVE: Opt = flag("live", "of the domain as it runs");
pub(super) const CONFIG: Opt = flag("config", "of the definition, for the next start");
pub(super) const CURRENT: Opt = flag("current", "of the domain as it runs, else of the definition");
const FORMATS: &[&str] = &["lxc-tools"];
const CONSOLE: Opt = flag("console", "attach to the console once it runs");
const AUTODESTROY: Opt = flag("autodestroy", "destroy the domain when nsvirsh ends");
const PAUSED: Opt = flag("paused", "ask for a start in paused state");
const VALIDATE: Opt = flag("validate", "check the XML against the schema");

/// A row without the parts that only some have.
pub(super) const fn row(
    name: &'static str,
    summary: &'static str,
    description: &'static str,
    opts: &'static [Opt],
    run: fn(&mut Shell, &Args) -> Outcome,
) -> Command {
    Command { name, summary, description, opts, connects: true, run }
}

/// A row of a command that works without the service.
const fn local(command: Command) -> Command {
    Command { connects: false, ..command }
}

/// The table.
pub(crate) static GROUPS: &[Group] = &[
    Group { title: "Domain Management", keyword: "domain", commands: MANAGEMENT },
    Group { title: "Domain Monitoring", keyword: "monitor", commands: MONITORING },
    Group { title: "Domain Events", keyword: "events", commands: EVENTS },
    Group { title: "Host and Hypervisor", keyword: "host", commands: HOST },
    Group { title: "Nsvirsh itself", keyword: "nsvirsh", commands: ITSELF },
];

static MANAGEMENT: &[Command] = &[
    devices::ATTACH_DEVICE,
    devices::ATTACH_DISK,
    devices::ATTACH_INTERFACE,
    row(
        "autostart",
        "start a domain together with the host, or no longer",
        "Marks a persistent domain to be started when the daemon starts after a boot.",
        &[DOMAIN, flag("disable", "take the mark away")],
        cmd::lifecycle::autostart,
    ),
    row(
        "console",
        "attach the terminal to a domain's console",
        "Passes keys and output between this terminal and the domain's console until\n\
         the escape character is typed (^] unless --escape says otherwise).",
        &[
            DOMAIN,
            opt("devname", Kind::Text, Hint::None, "alias of the console, such as console1"),
            flag("force", "disconnect others from the console first"),
            flag("safe", "connect only if no two sessions can share the console"),
        ],
        cmd::console::console,
    ),
    row(
        "create",
        "start a transient domain from a file",
        "Starts a domain that is forgotten when it ends.",
        &[FILE, CONSOLE, PAUSED, AUTODESTROY, VALIDATE],
        cmd::lifecycle::create,
    ),
    row(
        "define",
        "make a domain known from a file, or change it",
        "Stores a persistent domain; it is not started.",
        &[FILE, VALIDATE],
        cmd::lifecycle::define,
    ),
    row(
        "desc",
        "show or set the description or title of a domain",
        "Prints the description, or sets it: to the words given, or to what an editor leaves.\n\
         The empty text takes it away.",
        &[
            DOMAIN,
            LIVE,
            CONFIG,
            CURRENT,
            flag("title", "the title instead of the description"),
            flag("edit", "have it edited first"),
            opt("new-desc", Kind::Rest, Hint::None, "the new text"),
        ],
        cmd::metadata::desc,
    ),
    row(
        "destroy",
        "stop a domain at once",
        "Kills all processes of the domain. Its definition and files stay.",
        &[DOMAIN, flag("graceful", "give up rather than kill what does not end on its own")],
        cmd::lifecycle::destroy,
    ),
    devices::DETACH_DEVICE,
    devices::DETACH_ALIAS,
    devices::DETACH_DISK,
    devices::DETACH_INTERFACE,
    row(
        "domid",
        "id of a domain given by name or uuid",
        "",
        &[domain("name or uuid of the domain")],
        cmd::info::domid,
    ),
    row(
        "domname",
        "name of a domain given by id or uuid",
        "",
        &[domain("id or uuid of the domain")],
        cmd::info::domname,
    ),
    row(
        "domuuid",
        "uuid of a domain given by name or id",
        "",
        &[domain("id or name of the domain")],
        cmd::info::domuuid,
    ),
    row(
        "domxml-from-native",
        "make XML of another program's configuration",
        "Prints the domain's XML, and beside it what could not be carried over.",
        &[
            opt("format", Kind::Data, Hint::Words(FORMATS), "format of the configuration"),
            opt("config", Kind::Data, Hint::File, "file with the configuration"),
        ],
        cmd::document::from_native,
    ),
    row(
        "domxml-to-native",
        "make another program's configuration of XML",
        "Prints the configuration, and beside it what could not be carried over.",
        &[
            opt("format", Kind::Data, Hint::Words(FORMATS), "format of the configuration"),
            opt("domain", Kind::Named, Hint::Domain, "id, uuid or name of the domain"),
            opt("xml", Kind::Text, Hint::File, "file with the domain's XML"),
        ],
        cmd::document::to_native,
    ),
    row(
        "dumpxml",
        "XML of a domain",
        "Prints the domain's XML: as it runs, or as it is defined.",
        &[
            DOMAIN,
            flag("inactive", "the definition, even if the domain runs"),
            flag("security-info", "with secrets"),
            flag("update-cpu", "with the CPU adapted to the host"),
            flag("migratable", "in the form for another host"),
            opt("xpath", Kind::Named, Hint::None, "print only what this XPath expression finds"),
            flag("wrap", "in one element <nodes>"),
        ],
        cmd::document::dumpxml,
    ),
    row(
        "edit",
        "change a domain's definition in an editor",
        "Opens the definition in $VISUAL or $EDITOR, and stores it when it is changed.\n\
         What cannot be stored is asked about, and nothing of it is lost.",
        &[DOMAIN, flag("skip-validate", "do not check it against the schema")],
        cmd::edit::edit,
    ),
    row(
        "exec",
        "execute a program in a domain",
        "Executes a program in a container, with the rights of its init and no more. It gets a\n\
         terminal of the container's if this is one, else pipes. The exit status is the program's,\n\
         or 128 and the number of the signal that killed it. Signals go to the program.",
        &[
            DOMAIN,
            opt("user", Kind::Named, Hint::None, "user, or user:group, by name or number"),
            opt("env", Kind::Many, Hint::None, "NAME=value for its environment"),
            opt("dir", Kind::Named, Hint::None, "its working directory"),
            flag("tty", "give it a terminal"),
            flag("no-tty", "give it pipes"),
            opt("command", Kind::Rest, Hint::None, "the program and its arguments"),
        ],
        cmd::exec::exec,
    ),
    row(
        "lxc-enter-namespace",
        "execute a program in a domain, as root",
        "Executes a program in a container, as root there, with the capabilities of its init.",
        &[
            DOMAIN,
            flag("noseclabel", "accepted for scripts; the program's label is the container's"),
            opt("cmd", Kind::Rest, Hint::None, "the program and its arguments"),
        ],
        cmd::exec::enter,
    ),
    row(
        "metadata",
        "show or set what a program keeps with a domain",
        "Prints the element of a name space, sets it, or takes it away.",
        &[
            DOMAIN,
            opt("uri", Kind::Data, Hint::None, "the name space of the program"),
            LIVE,
            CONFIG,
            CURRENT,
            flag("edit", "have it edited"),
            opt("key", Kind::Text, Hint::None, "the prefix for the name space"),
            opt("set", Kind::Text, Hint::None, "the new element"),
            flag("remove", "take it away"),
        ],
        cmd::metadata::metadata,
    ),
    row(
        "reboot",
        "ask a domain to reboot",
        "Asks the domain's init to reboot.",
        &[DOMAIN, MODE],
        cmd::lifecycle::reboot,
    ),
    row(
        "resume",
        "let a suspended domain run on",
        "Thaws the domain's processes.",
        &[DOMAIN],
        cmd::lifecycle::resume,
    ),
    row(
        "shutdown",
        "ask a domain to shut down",
        "Asks the domain's init to shut down; `destroy` does not ask.",
        &[DOMAIN, MODE],
        cmd::lifecycle::shutdown,
    ),
    row(
        "start",
        "start a defined domain",
        "Starts a persistent domain that is shut off.",
        &[
            domain("name or uuid of the domain"),
            CONSOLE,
            PAUSED,
            AUTODESTROY,
            flag("bypass-cache", "read a saved state past the page cache"),
            flag("force-boot", "discard a saved state"),
        ],
        cmd::lifecycle::start,
    ),
    row(
        "suspend",
        "stop a domain's processes for a while",
        "Freezes the domain's processes; `resume` thaws them.",
        &[DOMAIN],
        cmd::lifecycle::suspend,
    ),
    row(
        "ttyconsole",
        "terminal device of a domain's console",
        "Prints the path of the terminal device behind the first console.",
        &[DOMAIN],
        cmd::info::ttyconsole,
    ),
    row(
        "undefine",
        "forget a domain",
        "Removes the definition. A running domain becomes transient.",
        &[
            DOMAIN,
            flag("managed-save", "with its saved state"),
            flag("snapshots-metadata", "with what is known of its snapshots"),
            flag("checkpoints-metadata", "with what is known of its checkpoints"),
            flag("nvram", "with its NVRAM file"),
            flag("keep-nvram", "but keep its NVRAM file"),
            flag("tpm", "with its TPM state"),
            flag("keep-tpm", "but keep its TPM state"),
        ],
        cmd::lifecycle::undefine,
    ),
    devices::UPDATE_DEVICE,
];

static MONITORING: &[Command] = &[
    row("dominfo", "facts about a domain", "Prints the main facts.", &[DOMAIN], cmd::info::dominfo),
    row(
        "domstate",
        "state of a domain",
        "Prints the state in a word or two.",
        &[DOMAIN, flag("reason", "add why it is in this state")],
        cmd::info::domstate,
    ),
    row(
        "list",
        "list domains",
        "Lists running domains, or those the filters name.",
        &[
            flag("inactive", "those shut off"),
            flag("all", "running and shut off"),
            flag("transient", "only transient ones"),
            flag("persistent", "only persistent ones"),
            flag("with-snapshot", "only those with snapshots"),
            flag("without-snapshot", "only those without snapshots"),
            flag("with-checkpoint", "only those with checkpoints"),
            flag("without-checkpoint", "only those without checkpoints"),
            flag("state-running", "only running ones"),
            flag("state-paused", "only paused ones"),
            flag("state-shutoff", "only those shut off"),
            flag("state-other", "only those in any other state"),
            flag("autostart", "only those with autostart"),
            flag("no-autostart", "only those without autostart"),
            flag("with-managed-save", "only those with a saved state"),
            flag("without-managed-save", "only those without a saved state"),
            flag("uuid", "print uuids"),
            flag("name", "print names"),
            flag("id", "print ids"),
            flag("table", "print a table (this is the default)"),
            flag("managed-save", "say which ones have a saved state"),
            flag("title", "add the titles"),
        ],
        cmd::list::list,
    ),
];

static EVENTS: &[Command] = &[row(
    "event",
    "wait for events of domains",
    "Prints events as they happen, or lists their names.",
    &[
        opt("domain", Kind::Text, Hint::Domain, "only of this domain (id, uuid or name)"),
        opt("event", Kind::Text, Hint::Words(crate::event_words::NAMES), "the event to wait for"),
        flag("all", "wait for every event"),
        flag("loop", "go on after the first, until interrupted or timed out"),
        opt("timeout", Kind::Number, Hint::None, "seconds to wait at most"),
        flag("list", "print the names of events"),
        flag("timestamp", "put the time before each event"),
    ],
    cmd::event::event,
)];

static HOST: &[Command] = &[
    row(
        "capabilities",
        "what the host is and can run",
        "Prints the capabilities of the host as XML.",
        &[],
        cmd::host::capabilities,
    ),
    row(
        "domcapabilities",
        "what a domain can have",
        "Prints the capabilities of containers as XML.",
        &[
            opt("virttype", Kind::Text, Hint::Words(&["lxc"]), "type of the domain"),
            opt("emulatorbin", Kind::Text, Hint::File, "program that runs it"),
            opt("arch", Kind::Text, Hint::None, "its architecture"),
            opt("machine", Kind::Text, Hint::None, "type of its machine"),
        ],
        cmd::host::domcapabilities,
    ),
    row("hostname", "name of the host", "", &[], cmd::host::hostname),
    row(
        "nodeinfo",
        "the host in numbers",
        "Prints processors and memory of the host.",
        &[],
        cmd::host::nodeinfo,
    ),
    row("uri", "URI of the connection", "", &[], cmd::host::uri),
    row(
        "version",
        "versions of the API and the kernel",
        "Prints which libvirt API is spoken and on which kernel.",
        &[flag("daemon", "add the daemon's version")],
        cmd::host::version,
    ),
];

static ITSELF: &[Command] = &[
    local(row(
        "cd",
        "change the working directory",
        "Changes the directory that file names start from.",
        &[opt("dir", Kind::Text, Hint::File, "where to (else the home directory)")],
        cmd::itself::cd,
    )),
    local(row(
        "connect",
        "connect anew, or elsewhere",
        "Connects to a bus; without a name, to the same one again.",
        &[
            opt("name", Kind::Text, Hint::None, "D-Bus address, system or session"),
            flag("readonly", "refuse commands that change something"),
        ],
        cmd::itself::connect,
    )),
    local(row(
        "echo",
        "print words",
        "Prints its words, quoted if asked to. For tests.",
        &[
            flag("shell", "quote for a shell"),
            flag("xml", "quote for XML"),
            flag("split", "split words at commas; two commas are one"),
            flag("err", "print as an error"),
            opt("string", Kind::Rest, Hint::None, "the words"),
        ],
        cmd::itself::echo,
    )),
    local(row("exit", "leave nsvirsh", "", &[], cmd::itself::quit)),
    local(row(
        "help",
        "explain commands",
        "Lists all commands, or explains a command or a group of them.",
        &[opt("command", Kind::Text, Hint::Command, "command or group to explain")],
        cmd::itself::help,
    )),
    local(row("pwd", "print the working directory", "", &[], cmd::itself::pwd)),
    local(row("quit", "leave nsvirsh", "", &[], cmd::itself::quit)),
];
