//! Looking at the machine: are the files there and right, and are the addresses free?

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use catalyst_authz::Engine;
use rustix::fs::{Access as Mode, access};

use super::document::Report;
use super::filter::filter_config;
use super::holder::Holder;
use super::load::{Loaded, read_bounded};
use super::path::JsonPath;
use super::problem::{Fault, Problems, Source};
use super::shape::Shape;
use super::{Auth, Config, EnvoyProcess, KeySource, Listen};
use crate::jwks::KeySet;

/// Largest key set or policy file in bytes; a larger one is refused.
const MAX_FILE: u64 = 4 << 20;

/// What is known of an issuer's keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Keys {
    /// Nothing yet: its tokens are denied.
    #[default]
    None,
    /// The content of a file.
    File(String),
    /// A set from a URL.
    Fetched(KeySet),
}

/// The content of the files that the configuration names, and the keys that were fetched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// The key set of each issuer, in the order of the configuration.
    pub jwks: Vec<Keys>,
    /// The policies, in the order of the configuration.
    pub policies: Vec<String>,
}

impl Loaded {
    /// Reads the files that the configuration names, and checks that the filter can work with them, that Envoy and the
    /// filter are there, and that the directories can be used. Makes and changes nothing.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub fn read_files(&self) -> Result<Files, Problems> {
        let shape = Shape::of_config();
        let mut inspector = Inspector { loaded: self, report: Report::new(&shape) };
        let files = inspector.auth_files();
        inspector.envoy();
        inspector.directories();
        match (files, inspector.report.into_problems()) {
            (Some(files), problems) if problems.is_empty() => Ok(files),
            (Some(_) | None, problems) => Err(Problems::of(problems)),
        }
    }

    /// Tries every address that this node is going to listen at, and lets go of it again. Left out is what an Envoy
    /// listens at that may run already: one run by somebody else, and one that an earlier daemon of this node left.
    ///
    /// # Errors
    /// The addresses that are taken or cannot be used, and the sockets at which another daemon answers.
    pub fn check_addresses(&self) -> Result<(), Problems> {
        let shape = Shape::of_config();
        let mut inspector = Inspector { loaded: self, report: Report::new(&shape) };
        for (path, address) in addresses(&self.config) {
            if let Err(error) = TcpListener::bind(address) {
                inspector.taken(&path, address, error);
            }
        }
        inspector.sockets();
        let problems = inspector.report.into_problems();
        if problems.is_empty() { Ok(()) } else { Err(Problems::of(problems)) }
    }
}

fn addresses(config: &Config) -> Vec<(JsonPath, SocketAddr)> {
    let root = JsonPath::default();
    let mut addresses = match config.envoy.process {
        EnvoyProcess::Managed { .. } => vec![
            (root.key("ingress").key("address"), config.ingress.address),
            (root.key("egress").key("address"), config.egress.address),
            (root.key("envoy").key("admin_address"), config.envoy.admin_address),
        ],
        EnvoyProcess::External => vec![],
    };
    match config.xds.listen {
        Listen::Tcp(address) => addresses.push((root.key("xds").key("listen"), address)),
        Listen::Unix(_) => {}
    }
    addresses
}

struct Inspector<'a> {
    loaded: &'a Loaded,
    report: Report<'a>,
}

impl Inspector<'_> {
    fn auth_files(&mut self) -> Option<Files> {
        let auth = &self.loaded.config.auth;
        let at = JsonPath::default().key("auth");
        let mut files = Files::default();
        for (index, issuer) in auth.issuers.iter().enumerate() {
            let at = at.key("issuers").index(index).key("jwks");
            let only = |jwks| {
                let auth = Auth { issuers: vec![issuer.clone()], policies: vec![], ..auth.clone() };
                (auth, Files { jwks: vec![Keys::File(jwks)], policies: vec![] })
            };
            files.jwks.extend(match &issuer.jwks {
                KeySource::File(file) => self.content(&at, file, only).map(Keys::File),
                KeySource::Url(_) => Some(Keys::None),
            });
        }
        for (index, policy) in auth.policies.iter().enumerate() {
            let only = |text| {
                let auth = Auth { issuers: vec![], policies: vec![policy.clone()], ..auth.clone() };
                (auth, Files { jwks: vec![], policies: vec![text] })
            };
            files.policies.extend(self.content(&at.key("policies").index(index), policy, only));
        }
        if files.jwks.len() < auth.issuers.len() || files.policies.len() < auth.policies.len() {
            return None;
        }
        // Each is right by itself; now all together.
        if let Err(error) = Engine::new(&filter_config(auth, &files)) {
            let files = auth.policies.iter().map(|file| file.display().to_string()).collect::<Vec<_>>();
            self.fault(&at.key("policies"), files.join(", "), Fault::Refused(error));
            return None;
        }
        Some(files)
    }

    /// The file's content, if the filter takes a configuration with that file alone.
    fn content(
        &mut self,
        at: &JsonPath,
        file: &Path,
        alone: impl FnOnce(String) -> (Auth, Files),
    ) -> Option<String> {
        let checked = read_bounded(file, MAX_FILE).and_then(|text| {
            let (auth, files) = alone(text.clone());
            Engine::new(&filter_config(&auth, &files)).map(|_| text).map_err(Fault::Refused)
        });
        checked.map_err(|fault| self.fault(at, file.display().to_string(), fault)).ok()
    }

    fn envoy(&mut self) {
        let envoy = &self.loaded.config.envoy;
        let at = JsonPath::default().key("envoy");
        match &envoy.process {
            EnvoyProcess::Managed { bin, log, concurrency: _ } => {
                self.program(&at.key("bin"), bin);
                if let Err(error) = readable_file(&envoy.filter) {
                    self.fault(&at.key("filter"), envoy.filter.display().to_string(), Fault::Read(error));
                }
                if let Some(dir) = log.as_deref().and_then(Path::parent) {
                    self.directory(&at.key("log"), dir);
                }
            }
            // Its files are that somebody's.
            EnvoyProcess::External => {}
        }
    }

    fn program(&mut self, at: &JsonPath, file: &Path) {
        let found_nowhere = self.loaded.document.source(at) == Source::Default;
        let fault = match readable_file(file) {
            Err(_) if found_nowhere => {
                let expected = "the Envoy binary (1.40), as there is none beside catalystd or in PATH";
                return self.report.add(Source::Default, at.clone(), None, Fault::Missing { expected });
            }
            Err(error) => Fault::Read(error),
            Ok(()) if access(file, Mode::EXEC_OK).is_err() => Fault::NotExecutable,
            Ok(()) => return,
        };
        self.fault(at, file.display().to_string(), fault);
    }

    fn directories(&mut self) {
        let Config { state_dir, run_dir, .. } = &self.loaded.config;
        self.directory(&JsonPath::default().key("state_dir"), state_dir);
        self.directory(&JsonPath::default().key("run_dir"), run_dir);
    }

    /// A directory that is there must be writable; one that is not, can be made if the nearest that is there is.
    fn directory(&mut self, at: &JsonPath, dir: &Path) {
        let there = dir.ancestors().find(|dir| dir.symlink_metadata().is_ok()).unwrap_or(dir);
        let usable = match there.metadata() {
            Ok(metadata) if !metadata.is_dir() => Err(io::Error::from(ErrorKind::NotADirectory)),
            Ok(_) => access(there, Mode::WRITE_OK | Mode::EXEC_OK).map_err(io::Error::from),
            Err(error) => Err(error),
        };
        if let Err(error) = usable {
            self.fault(at, there.display().to_string(), Fault::Directory(error));
        }
    }

    fn taken(&mut self, at: &JsonPath, address: SocketAddr, error: io::Error) {
        if error.kind() != ErrorKind::AddrInUse {
            return self.fault(at, address.to_string(), Fault::AddressUnusable(error));
        }
        let Config { run_dir, state_dir, .. } = &self.loaded.config;
        match Holder::of(address) {
            Some(holder) if [run_dir, state_dir].iter().any(|dir| holder.was_given_a_file_of(dir)) => {}
            holder => self.fault(at, address.to_string(), Fault::AddressInUse(holder)),
        }
    }

    fn sockets(&mut self) {
        let config = &self.loaded.config;
        let xds = match &config.xds.listen {
            Listen::Unix(path) => Some(path),
            Listen::Tcp(_) => None,
        };
        let answering = |path: &&PathBuf| UnixStream::connect(path).is_ok();
        if let Some(path) = xds.into_iter().chain([&config.gateway.socket]).find(answering) {
            let dir = config.run_dir.display().to_string();
            self.fault(&JsonPath::default().key("run_dir"), dir, Fault::SocketInUse(path.clone()));
        }
    }

    fn fault(&mut self, at: &JsonPath, value: String, fault: Fault) {
        self.report.add(self.loaded.document.source(at), at.clone(), Some(value), fault);
    }
}

fn readable_file(file: &Path) -> io::Result<()> {
    if fs::metadata(file)?.is_dir() {
        return Err(io::Error::from(ErrorKind::IsADirectory));
    }
    access(file, Mode::READ_OK).map_err(io::Error::from)
}
