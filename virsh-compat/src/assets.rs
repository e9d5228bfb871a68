//! The man page and the completions, made from the table of commands.
//!
//! The files are in `packaging/`, so that a package is built without running anything. The test
//! here fails when they are not what the table says; run it with `NSVIRSH_WRITE_ASSETS=1` to
//! write them anew.

use std::fmt::Write;

use crate::help::{self, GLOBAL_OPTIONS};
use crate::table::{Command, GROUPS, Hint, Kind, Opt, commands};

/// Text as roff: no line begins with a control character, no dash becomes a hyphen.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    match text.chars().next() {
        Some('.' | '\'') => format!("\\&{text}"),
        _ => text,
    }
}

fn man_page() -> String {
    let mut page = String::from(
        ".\\\" Made from the table of commands; change that instead.\n\
         .TH NSVIRSH 1 \"\" \"nsvirt\" \"User Commands\"\n\
         .SH NAME\nnsvirsh \\- command line for containers run by nsvirt\n\
         .SH SYNOPSIS\n.B nsvirsh\n[\\fIoptions\\fR]... [\\fIcommand_string\\fR]\n.br\n\
         .B nsvirsh\n[\\fIoptions\\fR]... \\fIcommand\\fR [\\fIargs\\fR]...\n\
         .SH DESCRIPTION\n\
         nsvirsh defines, starts, watches and stops containers. Its commands, options, output and\n\
         exit status are those of virsh; it reaches the daemon, nsvirtd, over D\\-Bus, and works\n\
         with libvirt\\-dbus in its place.\n.PP\n\
         Without a command it is interactive: it reads commands from a prompt, with editing and a\n\
         history. Several commands are separated by \\(oq;\\(cq, at the prompt and in a\n\
         \\fIcommand_string\\fR. Words are quoted with \\(oq\\(aq\\(cq, \\(oq\"\\(cq and\n\
         \\(oq\\e\\(cq; \\(oq#\\(cq begins a comment.\n.PP\n\
         The options of a command may come in any order. Options with a value can be given as\n\
         \\fB\\-\\-name value\\fR, as \\fB\\-\\-name=value\\fR, or in the order of the synopsis\n\
         without their names. After \\fB\\-\\-\\fR nothing is an option.\n\
         .SH OPTIONS\n",
    );
    for (option, text) in GLOBAL_OPTIONS {
        let _ = write!(page, ".TP\n\\fB{}\\fR\n{}\n", roff(option.trim()), roff(text));
    }
    page.push_str(
        ".PP\nThe words lxc:/// and lxc:///system stand for the default bus. Names of long options\n\
         may be shortened while they stay unambiguous.\n",
    );
    for group in GROUPS {
        let _ = writeln!(page, ".SH {}", roff(&group.title.to_uppercase()));
        for command in group.commands {
            man_command(&mut page, command);
        }
    }
    page.push_str(
        ".SH EXIT STATUS\n0 if the last command succeeded, 1 if not.\n\
         .SH ENVIRONMENT\n.TP\n\\fBNSVIRT_BUS\\fR\n\
         The bus to use without \\fB\\-\\-connect\\fR: a D\\-Bus address, system or session.\n\
         Without it, the system bus.\n.TP\n\\fBVISUAL\\fR, \\fBEDITOR\\fR\n\
         The editor; else sensible\\-editor, else vi. What is more than a path is for a shell.\n.TP\n\\fBXDG_CACHE_HOME\\fR\n\
         Where the history of the interactive mode is kept, in nsvirsh/history; else ~/.cache.\n\
         .SH EXAMPLES\n.nf\nnsvirsh list \\-\\-all\nnsvirsh 'define web.xml; start web'\n\
         nsvirsh \\-c unix:path=/run/user/1000/nsvirt/bus console web\n.fi\n\
         .SH SEE ALSO\n\\fBnsvirtd\\fR(8), \\fBvirsh\\fR(1)\n",
    );
    page
}

fn man_command(page: &mut String, command: &Command) {
    let _ = writeln!(page, ".SS {}", roff(&help::synopsis(command)));
    let text = if command.description.is_empty() { command.summary } else { command.description };
    for line in text.lines() {
        let _ = writeln!(page, "{}", roff(line));
    }
    for opt in command.opts {
        let _ = write!(page, ".TP\n\\fB{}\\fR\n{}\n", roff(&help::label(opt)), roff(opt.help));
    }
}

fn option_words(command: &Command) -> String {
    let mut words: Vec<String> = command.opts.iter().map(|opt| format!("--{}", opt.name)).collect();
    words.push("--help".to_owned());
    words.join(" ")
}

/// How the shell finds candidates for an option's value.
fn candidates(opt: &Opt) -> Option<String> {
    match opt.hint {
        Hint::Domain => Some("$(_nsvirsh_domains)".to_owned()),
        Hint::Words(words) => Some(words.join(" ")),
        Hint::Command => Some(commands().map(|c| c.name).collect::<Vec<_>>().join(" ")),
        Hint::File | Hint::None => None,
    }
}

fn bash() -> String {
    let mut text = String::from(
        "# bash completion of nsvirsh, made from its table of commands\n\
         # shellcheck shell=bash disable=SC2207\n\n\
         _nsvirsh_domains() {\n    local IFS=$'\\n'\n    \
         \"${COMP_WORDS[0]}\" -q \"${_nsvirsh_bus[@]}\" list --all --name 2>/dev/null\n}\n\n\
         _nsvirsh() {\n    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n    \
         local command='' i _nsvirsh_bus=()\n    COMPREPLY=()\n    \
         for ((i = 1; i < COMP_CWORD; i++)); do\n        case ${COMP_WORDS[i]} in\n        \
         -c|--connect) _nsvirsh_bus=(-c \"${COMP_WORDS[i+1]}\"); ((i++)) ;;\n        \
         -d|-e|-k|-K|-l|--debug|--escape|--log) ((i++)) ;;\n        -*) ;;\n        \
         *) command=${COMP_WORDS[i]}; break ;;\n        esac\n    done\n    \
         case $command:$prev in\n",
    );
    for command in commands() {
        for opt in command.opts {
            let pattern = format!("    {}:--{})", command.name, opt.name);
            let _ = match (candidates(opt), opt.hint) {
                (Some(words), _) => writeln!(
                    text,
                    "{pattern} COMPREPLY=($(compgen -W \"{words}\" -- \"$cur\")); return ;;"
                ),
                (None, Hint::File) => {
                    writeln!(text, "{pattern} COMPREPLY=($(compgen -f -- \"$cur\")); return ;;")
                }
                (None, _) => Ok(()),
            };
        }
    }
    text.push_str("    esac\n    case $command in\n");
    let names: Vec<_> = commands().map(|command| command.name).collect();
    let global = "--connect --debug --escape --help --log --quiet --readonly --timing --version";
    let _ = writeln!(
        text,
        "    '') COMPREPLY=($(compgen -W \"{} {global}\" -- \"$cur\")) ;;",
        names.join(" ")
    );
    for command in commands() {
        let mut words = option_words(command);
        let first = command.opts.iter().find(|opt| opt.kind.is_positional());
        if let Some(more) = first.and_then(candidates) {
            let _ = write!(words, " {more}");
        }
        let files = if first.is_some_and(|opt| opt.hint == Hint::File) { " -f" } else { "" };
        let _ = writeln!(
            text,
            "    {}) COMPREPLY=($(compgen{files} -W \"{words}\" -- \"$cur\")) ;;",
            command.name
        );
    }
    text.push_str("    esac\n}\n\ncomplete -F _nsvirsh nsvirsh\n");
    text
}

fn zsh() -> String {
    let mut text = String::from(
        "#compdef nsvirsh\n# zsh completion of nsvirsh, made from its table of commands\n\n\
         local command i\nlocal -a bus\nfor ((i = 2; i < CURRENT; i++)); do\n    \
         case $words[i] in\n    -c|--connect) bus=(-c $words[i+1]); ((i++)) ;;\n    \
         -d|-e|-k|-K|-l|--debug|--escape|--log) ((i++)) ;;\n    -*) ;;\n    \
         *) command=$words[i]; break ;;\n    esac\ndone\ncase $command in\n",
    );
    let names: Vec<_> = commands().map(|command| command.name).collect();
    let _ = writeln!(text, "'') compadd -- {} ;;", names.join(" "));
    for command in commands() {
        let _ = write!(text, "{}) compadd -- {}", command.name, option_words(command));
        let first = command.opts.iter().find(|opt| opt.kind.is_positional());
        let _ = match first.map(|opt| (opt.hint, candidates(opt))) {
            Some((Hint::Domain, _)) => write!(
                text,
                "; compadd -- ${{(f)\"$(nsvirsh $bus -q list --all --name 2>/dev/null)\"}}"
            ),
            Some((Hint::File, _)) => write!(text, "; _files"),
            Some((_, Some(words))) => write!(text, "; compadd -- {words}"),
            _ => Ok(()),
        };
        text.push_str(" ;;\n");
    }
    text.push_str("esac\n");
    text
}

fn fish() -> String {
    let mut text = String::from(
        "# fish completion of nsvirsh, made from its table of commands\n\n\
         complete -c nsvirsh -f\n\
         complete -c nsvirsh -s c -l connect -x -d 'D-Bus address, system or session'\n\
         complete -c nsvirsh -s q -l quiet -d 'no headings, no remarks'\n\
         complete -c nsvirsh -s r -l readonly -d 'refuse commands that change something'\n\
         complete -c nsvirsh -s t -l timing -d 'print how long each command took'\n",
    );
    let quote = |text: &str| text.replace('\'', "\\'");
    for command in commands() {
        let name = command.name;
        let _ = writeln!(
            text,
            "complete -c nsvirsh -n __fish_use_subcommand -a {name} -d '{}'",
            quote(command.summary)
        );
        let when = format!("complete -c nsvirsh -n '__fish_seen_subcommand_from {name}'");
        for opt in command.opts {
            let value = if opt.kind == Kind::Flag { "" } else { " -r" };
            let _ = writeln!(text, "{when} -l {}{value} -d '{}'", opt.name, quote(opt.help));
            let _ = match opt.hint {
                Hint::Domain => {
                    writeln!(text, "{when} -a '(nsvirsh -q list --all --name 2>/dev/null)'")
                }
                Hint::File => writeln!(text, "{when} -F"),
                Hint::Words(words) if opt.kind != Kind::Data => {
                    writeln!(text, "{when} -l {} -xa '{}'", opt.name, words.join(" "))
                }
                _ => Ok(()),
            };
        }
    }
    text
}

#[test]
fn packaged_files_are_current() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging");
    let files = [
        ("man/nsvirsh.1", man_page()),
        ("completions/nsvirsh.bash", bash()),
        ("completions/_nsvirsh", zsh()),
        ("completions/nsvirsh.fish", fish()),
    ];
    for (name, text) in files {
        let path = root.join(name);
        if std::env::var_os("NSVIRSH_WRITE_ASSETS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let packaged = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(packaged == text, "packaging/{name} is old: run with NSVIRSH_WRITE_ASSETS=1");
    }
}
