//! `<os>`: what runs inside.

use crate::error::{Error, ErrorCode, Result};
use crate::xml::{Element, Writer};

/// The program that becomes process 1 of the container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Os {
    /// libvirt's name of the architecture, as in `x86_64`; None until the host's is filled in.
    pub arch: Option<String>,
    /// The path of the program, in the container.
    pub init: String,
    /// Its arguments after the program's name; none is empty.
    pub initarg: Vec<String>,
    /// Its environment: names (not empty, without `=`) and values, in the document's order. A
    /// name may come twice.
    pub initenv: Vec<(String, String)>,
    /// The directory it starts in, in the container.
    pub initdir: Option<String>,
}

impl Os {
    pub(super) fn parse(root: &Element) -> Result<Self> {
        let os = root.child("os");
        let kind = os.and_then(|os| os.child("type")).filter(|kind| !kind.text().is_empty());
        let (Some(os), Some(kind)) = (os, kind) else {
            let line = os.map_or(root.line, |os| os.line);
            return Err(Error::xml(line, "an os <type> must be specified, as in <type>exe</type>"));
        };
        let text = kind.text();
        if text != "exe" {
            return Err(Error::in_document(
                ErrorCode::ConfigUnsupported,
                kind.line,
                format_args!("unknown OS type '{text}': only 'exe' is supported"),
            ));
        }
        let init =
            os.child_text("init").ok_or_else(|| os.error("init binary must be specified"))?;
        Ok(Self {
            arch: kind.attr("arch").filter(|arch| !arch.is_empty()).map(str::to_owned),
            init,
            initarg: os.children_named("initarg").map(parse_arg).collect::<Result<_>>()?,
            initenv: os.children_named("initenv").map(parse_env).collect::<Result<_>>()?,
            initdir: os.child_text("initdir"),
        })
    }

    pub(super) fn format(&self, w: &mut Writer) {
        w.open("os", &[]);
        match &self.arch {
            Some(arch) => w.leaf("type", &[("arch", arch)], "exe"),
            None => w.leaf("type", &[], "exe"),
        }
        w.leaf("init", &[], &self.init);
        for arg in &self.initarg {
            w.leaf("initarg", &[], arg);
        }
        for (name, value) in &self.initenv {
            w.leaf("initenv", &[("name", name)], value);
        }
        w.optional_leaf("initdir", self.initdir.as_deref());
        w.close();
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
                    <initdir>/d</initdir></os>";
        let os = parse(text).os;
        assert_eq!(os.arch.as_deref(), Some("i686"));
        assert_eq!(os.initarg, ["-c", " a<b\n"]);
        assert_eq!(os.initenv, [("A", "1"), ("A", "&")].map(|(a, b)| (a.to_owned(), b.to_owned())));
        assert_eq!(
            printed(text).join("\n"),
            "    <type arch='i686'>exe</type>\n    <init>bin/init</init>\n    \
             <initarg>-c</initarg>\n    <initarg> a&lt;b\n</initarg>\n    \
             <initenv name='A'>1</initenv>\n    <initenv name='A'>&amp;</initenv>\n    \
             <initdir>/d</initdir>"
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
                "unsupported configuration: line 3: unknown OS type 'hvm': only 'exe' is supported",
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
