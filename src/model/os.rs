//! `<os>`: what runs inside.

use super::read::{all, first, words};
use crate::error::{Error, ErrorCode, Result};
use crate::xml::{Element, Writer};

/// The program that becomes process 1 of the container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Os {
    /// libvirt's name of the architecture, as in `x86_64`; None until the host's is filled in.
    pub arch: Option<String>,
    /// The path of the program, in the container.
    pub init: String,
    /// A machine type; kept, without effect on containers.
    pub machine: Option<String>,
    /// Its arguments after the program's name; none is empty.
    pub initarg: Vec<String>,
    /// Its environment: names (not empty, without `=`) and values, in the document's order. A
    /// name may come twice.
    pub initenv: Vec<(String, String)>,
    /// The directory it starts in, in the container.
    pub initdir: Option<String>,
    /// The user it runs as, a name or `+` and a number; root when there is none.
    pub inituser: Option<String>,
    /// The group it runs as, a name or `+` and a number; root when there is none.
    pub initgroup: Option<String>,
    /// What init finds in `LIBVIRT_LXC_CMDLINE`.
    pub cmdline: Option<String>,
    /// Where a machine's firmware tables come from; kept, without effect on containers.
    pub smbios: Option<SmbiosMode>,
}

words! {
    /// Where firmware tables come from.
    pub enum SmbiosMode {
        /// Made up.
        Emulate = "emulate",
        /// The host.
        Host = "host",
        /// `<sysinfo>`.
        Sysinfo = "sysinfo",
    }
}

/// The kinds of systems libvirt knows beside `exe`, none of which a container can be.
const OTHER_TYPES: [&str; 5] = ["hvm", "xen", "xenpvh", "linux", "uml"];

/// libvirt's names of architectures.
const ARCHITECTURES: &[&str] = &[
    "alpha",
    "armv6l",
    "armv7l",
    "armv7b",
    "aarch64",
    "cris",
    "i686",
    "ia64",
    "lm32",
    "loongarch64",
    "m68k",
    "microblaze",
    "microblazeel",
    "mips",
    "mipsel",
    "mips64",
    "mips64el",
    "openrisc",
    "parisc",
    "parisc64",
    "ppc",
    "ppc64",
    "ppc64le",
    "ppcemb",
    "riscv32",
    "riscv64",
    "s390",
    "s390x",
    "sh4",
    "sh4eb",
    "sparc",
    "sparc64",
    "unicore32",
    "x86_64",
    "xtensa",
    "xtensaeb",
];

impl Os {
    /// Several `<os>` count as one, as in libvirt.
    pub(super) fn parse(root: &Element) -> Result<Self> {
        let find = |name| first(root, "os", name);
        let text = |name| find(name).map(Element::text).filter(|text| !text.is_empty());
        let os = root.child("os").unwrap_or(root);
        let Some(kind) = find("type").filter(|kind| !kind.text().is_empty()) else {
            return Err(os.error("an os <type> must be specified, as in <type>exe</type>"));
        };
        check_type(kind)?;
        let init = text("init").ok_or_else(|| os.error("init binary must be specified"))?;
        // The first that has the attribute, among the first <type> of each <os>.
        let types = || root.children_named("os").filter_map(|os| os.child("type"));
        let attr = |name| types().find(|kind| kind.attr(name).is_some()).unwrap_or(kind);
        let machine = attr("machine").attr("machine");
        Ok(Self {
            arch: parse_arch(attr("arch"))?,
            machine: machine.filter(|name| !name.is_empty()).map(str::to_owned),
            init,
            initarg: all(root, "os", "initarg").map(parse_arg).collect::<Result<_>>()?,
            initenv: all(root, "os", "initenv").map(parse_env).collect::<Result<_>>()?,
            initdir: text("initdir"),
            inituser: text("inituser"),
            initgroup: text("initgroup"),
            cmdline: text("cmdline"),
            smbios: find("smbios").map_or(Ok(None), parse_smbios)?,
        })
    }

    pub(super) fn format(&self, w: &mut Writer) {
        w.open("os", &[]);
        let mut attributes = Vec::new();
        attributes.extend(self.arch.as_deref().map(|arch| ("arch", arch)));
        attributes.extend(self.machine.as_deref().map(|machine| ("machine", machine)));
        w.leaf("type", &attributes, "exe");
        w.leaf("init", &[], &self.init);
        for arg in &self.initarg {
            w.leaf("initarg", &[], arg);
        }
        for (name, value) in &self.initenv {
            w.leaf("initenv", &[("name", name)], value);
        }
        w.optional_leaf("initdir", self.initdir.as_deref());
        w.optional_leaf("inituser", self.inituser.as_deref());
        w.optional_leaf("initgroup", self.initgroup.as_deref());
        w.optional_leaf("cmdline", self.cmdline.as_deref());
        if let Some(mode) = self.smbios {
            w.empty("smbios", &[("mode", mode.as_str())]);
        }
        w.close();
    }
}

fn check_type(kind: &Element) -> Result<()> {
    let text = kind.text();
    let code = match text.as_str() {
        "exe" => return Ok(()),
        other if OTHER_TYPES.contains(&other) => ErrorCode::InvalidArg,
        _ => ErrorCode::ConfigUnsupported,
    };
    let detail = format_args!("unknown OS type '{text}': only 'exe' is supported");
    Err(Error::in_document(code, kind.line, detail))
}

fn parse_arch(kind: &Element) -> Result<Option<String>> {
    match kind.attr("arch").filter(|arch| !arch.is_empty()) {
        Some(arch) if !ARCHITECTURES.contains(&arch) => {
            Err(kind.unsupported(format_args!("Unknown architecture {arch}: expected the host's")))
        }
        arch => Ok(arch.map(str::to_owned)),
    }
}

fn parse_smbios(element: &Element) -> Result<Option<SmbiosMode>> {
    match element.attr("mode") {
        None | Some("" | "none") => Ok(None),
        Some(word) => SmbiosMode::from_word(word).map(Some).ok_or_else(|| {
            element.unsupported(format_args!(
                "unknown smbios mode '{word}': expected one of {}",
                SmbiosMode::WORDS.join(", ")
            ))
        }),
    }
}

fn parse_arg(element: &Element) -> Result<String> {
    match element.text() {
        arg if arg.is_empty() => Err(element.error("No data supplied for <initarg> element")),
        arg => Ok(arg),
    }
}

fn parse_env(element: &Element) -> Result<(String, String)> {
    let Some(name) = element.attr("name").filter(|name| !name.is_empty()) else {
        return Err(element.error("No name supplied for <initenv> element"));
    };
    // NUL, the other character the kernel cannot take, does not get through the XML reader.
    if name.contains('=') {
        return Err(element.error(format_args!("the name of <initenv name='{name}'> contains '='")));
    }
    let value = element.text();
    if value.is_empty() {
        return Err(
            element.error(format_args!("No value supplied for <initenv name='{name}'> element"))
        );
    }
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::super::samples::{assert_faults, parse, printed};

    fn os(inside: &str) -> String {
        format!("<os>\n<type>exe</type>\n<init>/bin/sh</init>\n{inside}</os>")
    }

    #[test]
    fn all_of_it_is_read_and_written() {
        let text = "<os><type arch='i686' machine='x'>exe</type><init>bin/init</init>\
                    <initarg>-c</initarg><initarg> a&lt;b\n</initarg>\
                    <initenv name='A'>1</initenv><initenv name='A'>&amp;</initenv>\
                    <cmdline>c d</cmdline><inituser>u</inituser>\
                    <initgroup>+0</initgroup><smbios mode='host'/><initdir>/d</initdir></os>";
        let os = parse(text).os;
        assert_eq!(os.arch.as_deref(), Some("i686"));
        assert_eq!(os.initarg, ["-c", " a<b\n"]);
        assert_eq!(os.initenv, [("A", "1"), ("A", "&")].map(|(a, b)| (a.to_owned(), b.to_owned())));
        assert_eq!(
            printed(text).join("\n"),
            "    <type arch='i686' machine='x'>exe</type>\n    <init>bin/init</init>\n    \
             <initarg>-c</initarg>\n    <initarg> a&lt;b\n</initarg>\n    \
             <initenv name='A'>1</initenv>\n    <initenv name='A'>&amp;</initenv>\n    \
             <initdir>/d</initdir>\n    <inituser>u</inituser>\n    \
             <initgroup>+0</initgroup>\n    <cmdline>c d</cmdline>\n    <smbios mode='host'/>"
        );
        assert_eq!(parse(&os_without_arch()).os.arch, None);
    }

    fn os_without_arch() -> String {
        os("").replace("<type>", "<type arch=''>")
    }

    #[test]
    fn faults() {
        let no_type = "XML error: line 2: an os <type> must be specified, as in <type>exe</type>";
        assert_faults(&[
            ("<os/>", no_type),
            ("<os><type/></os>", no_type),
            (
                "<os>\n<type>hvm</type></os>",
                "invalid argument: line 3: unknown OS type 'hvm': only 'exe' is supported",
            ),
            ("<os><type>exe</type></os>", "XML error: line 2: init binary must be specified"),
            (
                "<os><type>exe</type><init/></os>",
                "XML error: line 2: init binary must be specified",
            ),
            (&os("\n<initarg/>"), "XML error: line 6: No data supplied for <initarg> element"),
            (
                &os("<initenv>x</initenv>"),
                "XML error: line 5: No name supplied for <initenv> element",
            ),
            (
                &os("<initenv name='A'/>"),
                "XML error: line 5: No value supplied for <initenv name='A'> element",
            ),
            (
                &os("<initenv name='A=B'>x</initenv>"),
                "XML error: line 5: the name of <initenv name='A=B'> contains '='",
            ),
            (
                &os("<initenv name='A'>&#0;</initenv>"),
                "XML error: line 5: <initenv>: after '&' only lt; gt; amp; apos; quot; or a \
                 character reference may follow",
            ),
        ]);
    }
}
