//! The name a supervisor goes by in lists of processes.

use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;

/// Writes a domain's name over this program's one argument, as far as there is room for it.
pub(super) fn set(name: &str) -> io::Result<()> {
    let arguments: Vec<_> = std::env::args_os().collect();
    let [program, place] = arguments.as_slice() else {
        return Err(io::Error::other("this program was executed with no room for a name"));
    };
    let mut text = name.as_bytes().to_vec();
    text.resize(place.len(), 0);
    let start = start_of_arguments()? + program.as_bytes().len() as u64 + 1;
    File::options().write(true).open("/proc/self/mem")?.write_all_at(&text, start)
}

/// Where in memory the arguments are: `arg_start` of `proc_pid_stat(5)`.
fn start_of_arguments() -> io::Result<u64> {
    /// Counted from the one after the name of the program, which may hold anything.
    const ARG_START: usize = 48 - 3;
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(ARG_START));
    fields
        .and_then(|field| field.parse().ok())
        .ok_or_else(|| io::Error::other("/proc/self/stat does not say where arguments are"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_where_the_kernel_says() {
        let program = std::env::args_os().next().unwrap();
        let mut found = vec![0; program.as_bytes().len()];
        let memory = File::open("/proc/self/mem").unwrap();
        memory.read_exact_at(&mut found, start_of_arguments().unwrap()).unwrap();
        assert_eq!(found, program.as_bytes());
    }
}
