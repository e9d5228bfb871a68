//! `nsvirtd`, the daemon: one driver and its front ends.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use nsvirt::dbus::{Bus, Service};
use nsvirt::driver::{Config, Driver, Paths, Profile};
use nsvirt::rpc;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Runs Linux containers described by libvirt domain XML, and serves them over D-Bus and to
/// libvirt's own clients.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// Keep configuration, state, run files, logs and sockets below DIR, apart from any other
    /// nsvirtd
    #[arg(long, value_name = "DIR")]
    prefix: Option<PathBuf>,

    /// Serve on this bus: `embedded`, `system`, `session`, or a D-Bus address. Without this
    /// option: the system bus if there is one, else an embedded bus at RUN/bus
    #[arg(long, value_name = "BUS")]
    bus: Option<String>,

    /// Read this configuration file instead of nsvirtd.toml in the configuration directory
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Isolate containers as PROFILE says, `hardened` or `compat`, where their documents do not say;
    /// instead of `isolation` in the configuration file
    #[arg(long, value_name = "PROFILE")]
    isolation: Option<Profile>,

    /// Log more: -v what is done, -vv every detail
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
}

fn main() -> ExitCode {
    let options = Options::parse();
    log_to_stderr(options.verbose);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(options)),
        Err(error) => Err(format!("cannot start the runtime: {error}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nsvirtd: {error}");
            ExitCode::FAILURE
        }
    }
}

fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        0 => "nsvirt=warn",
        1 => "nsvirt=info",
        _ => "nsvirt=debug",
    };
    let filter = EnvFilter::try_from_env("NSVIRT_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let colours = io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        .with_writer(io::stderr)
        .init();
}

async fn run(options: Options) -> Result<(), String> {
    let paths = match &options.prefix {
        Some(prefix) => Paths::below(
            &std::path::absolute(prefix)
                .map_err(|e| format!("cannot use --prefix {}: {e}", prefix.display()))?,
        ),
        None => Paths::system(),
    };
    let config = options.config.unwrap_or_else(|| paths.etc.join("nsvirtd.toml"));
    let mut config = Config::read(&config).map_err(|e| e.to_string())?;
    config.isolation = options.isolation.unwrap_or(config.isolation);
    let sockets = config.sockets(&paths).map_err(|e| e.to_string())?;
    let bus = choose_bus(options.bus.as_deref(), &paths);
    let mut terminate = signals()?;
    let driver = Driver::open(&config, &paths).await.map_err(|e| e.to_string())?;
    let remote = sockets.map(|sockets| rpc::Service::start(driver.clone(), &sockets)).transpose();
    let remote = remote.map_err(|e| e.to_string())?;
    let service = Service::start(driver.clone(), &bus)
        .await
        .map_err(|e| format!("cannot serve on the bus at {}: {e}", bus.address()))?;
    announce(&bus);
    let stopped = tokio::select! {
        () = serve_remote(remote.as_ref()) => Err("the sockets are gone".to_owned()),
        () = service.run() => Err(format!("the bus at {} is gone", bus.address())),
        () = terminate.any() => Ok(()),
    };
    stop(&driver, &bus).await?;
    stopped
}

/// Serves libvirt's clients, if they are to be served.
async fn serve_remote(service: Option<&rpc::Service>) {
    match service {
        Some(service) => service.run().await,
        None => std::future::pending().await,
    }
}

/// The system bus is there if its socket is.
fn choose_bus(bus: Option<&str>, paths: &Paths) -> Bus {
    const SYSTEM_BUS: &str = "/run/dbus/system_bus_socket";
    match bus {
        Some("embedded") => Bus::Embedded(paths.run.join("bus")),
        Some("system") => Bus::System,
        Some("session") => Bus::Session,
        Some(address) => Bus::Address(address.to_owned()),
        None if std::path::Path::new(SYSTEM_BUS).exists() => Bus::System,
        None => Bus::Embedded(paths.run.join("bus")),
    }
}

/// Says that calls are answered: one line for people, READY=1 for systemd.
fn announce(bus: &Bus) {
    // A closed standard output is no reason not to serve.
    let _ = writeln!(io::stdout(), "nsvirtd is ready on {}", bus.address());
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
        tracing::warn!("cannot tell systemd that nsvirtd is ready: {error}");
    }
}

/// Containers go on; what was only for this daemon goes with it.
async fn stop(driver: &Arc<Driver>, bus: &Bus) -> Result<(), String> {
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Stopping]) {
        tracing::warn!("cannot tell systemd that nsvirtd stops: {error}");
    }
    driver.close().await;
    if let Bus::Embedded(path) = bus {
        std::fs::remove_file(path).map_err(|e| format!("cannot remove {}: {e}", path.display()))?;
    }
    Ok(())
}

/// What ends the daemon.
struct Terminate {
    term: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

fn signals() -> Result<Terminate, String> {
    let handle = |kind| signal(kind).map_err(|e| format!("cannot handle signals: {e}"));
    Ok(Terminate {
        term: handle(SignalKind::terminate())?,
        interrupt: handle(SignalKind::interrupt())?,
    })
}

impl Terminate {
    async fn any(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
