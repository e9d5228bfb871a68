//! Domain documents, as a test needs them.

use std::fmt;
use std::path::{Path, PathBuf};

/// Prints `ready`, then answers every line with `got` and the line.
pub const ECHO: &str = "echo ready; while read line; do echo \"got $line\"; done";

/// A domain document under construction.
#[derive(Debug, Clone)]
pub struct Document {
    name: String,
    uuid: Option<String>,
    memory: u64,
    root: Option<(PathBuf, bool)>,
    init: String,
    arguments: Vec<String>,
    os: String,
    devices: String,
    elements: String,
    consoles: usize,
}

impl Document {
    /// A container whose init answers on its console.
    pub fn new(name: &str, root: &Path) -> Self {
        Self {
            name: name.to_owned(),
            uuid: None,
            memory: 65536,
            root: Some((root.to_owned(), false)),
            init: "/bin/sh".to_owned(),
            arguments: vec!["-c".to_owned(), ECHO.to_owned()],
            os: String::new(),
            devices: String::new(),
            elements: String::new(),
            consoles: 1,
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn uuid(mut self, uuid: &str) -> Self {
        self.uuid = Some(uuid.to_owned());
        self
    }

    /// In KiB.
    pub fn memory(mut self, kib: u64) -> Self {
        self.memory = kib;
        self
    }

    pub fn root(mut self, root: &Path) -> Self {
        self.root = Some((root.to_owned(), false));
        self
    }

    pub fn read_only_root(mut self) -> Self {
        self.root = self.root.map(|(path, _)| (path, true));
        self
    }

    pub fn without_root(mut self) -> Self {
        self.root = None;
        self
    }

    /// A shell with this script is init.
    pub fn script(self, script: &str) -> Self {
        self.init("/bin/sh", &["-c", script])
    }

    pub fn init(mut self, init: &str, arguments: &[&str]) -> Self {
        self.init = init.to_owned();
        self.arguments = arguments.iter().map(|it| (*it).to_owned()).collect();
        self
    }

    /// More elements of `<os>`.
    pub fn os(mut self, xml: &str) -> Self {
        self.os.push_str(xml);
        self
    }

    /// More elements of `<devices>`.
    pub fn device(mut self, xml: &str) -> Self {
        self.devices.push_str(xml);
        self
    }

    /// A directory of the host inside.
    pub fn mount(self, source: &Path, target: &str, read_only: bool) -> Self {
        let read_only = if read_only { "<readonly/>" } else { "" };
        let source = escape(source.to_str().unwrap());
        self.device(&format!(
            "<filesystem type='mount'><source dir='{source}'/><target dir='{target}'/>{read_only}\
             </filesystem>"
        ))
    }

    /// More elements of `<domain>`.
    pub fn element(mut self, xml: &str) -> Self {
        self.elements.push_str(xml);
        self
    }

    pub fn consoles(mut self, count: usize) -> Self {
        self.consoles = count;
        self
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<domain type='lxc'><name>{}</name>", escape(&self.name))?;
        if let Some(uuid) = &self.uuid {
            write!(f, "<uuid>{uuid}</uuid>")?;
        }
        write!(f, "<memory unit='KiB'>{}</memory>{}", self.memory, self.elements)?;
        write!(f, "<os><type>exe</type><init>{}</init>", escape(&self.init))?;
        for argument in &self.arguments {
            write!(f, "<initarg>{}</initarg>", escape(argument))?;
        }
        write!(f, "{}</os><devices>", self.os)?;
        if let Some((root, read_only)) = &self.root {
            let read_only = if *read_only { "<readonly/>" } else { "" };
            let root = escape(root.to_str().unwrap());
            write!(
                f,
                "<filesystem type='mount'><source dir='{root}'/><target dir='/'/>{read_only}\
                 </filesystem>"
            )?;
        }
        f.write_str(&self.devices)?;
        for _ in 0..self.consoles {
            f.write_str("<console type='pty'/>")?;
        }
        f.write_str("</devices></domain>")
    }
}

/// Text for an XML document, between tags or quotes.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('\'', "&apos;")
        .replace('"', "&quot;")
}
