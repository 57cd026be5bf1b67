//! What `up` has to know of `envoy/quickstart.json`, and the same on other ports.

use std::{
    fs,
    net::SocketAddr,
    path::{Component, Path, PathBuf},
};

use anyhow::Context;
use serde_json::{Value, json};

use super::ports;
use crate::workspace::Workspace;

/// The parts of the configuration that the programs around the node have to agree with.
pub(crate) struct Quickstart {
    /// The file that the daemon is started with.
    pub(crate) config: PathBuf,
    pub(crate) ingress: SocketAddr,
    pub(crate) egress: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) books: SocketAddr,
    pub(crate) reviews: SocketAddr,
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) jwks: PathBuf,
}

/// Fields that hold a path, which is relative to the folder of the file.
const PATHS: [&str; 3] = ["/auth/issuers/0/jwks", "/state_dir", "/run_dir"];

impl Quickstart {
    /// Reads `envoy/quickstart.json`. With `free_ports`, writes it again to `home`, with other ports and with all that
    /// the node keeps in `home` too, so that it has nothing in common with another one.
    ///
    /// # Errors
    /// The file cannot be read, or lacks one of these fields.
    pub(crate) fn read(workspace: &Workspace, home: &Path, free_ports: bool) -> anyhow::Result<Self> {
        let config = workspace.root.join("envoy/quickstart.json");
        let text = fs::read_to_string(&config).with_context(|| config.display().to_string())?;
        let mut json: Value = serde_json::from_str(&text).with_context(|| config.display().to_string())?;
        let dir = config.parent().expect("a file in the checkout");
        make_paths_absolute(&mut json, dir);
        if !free_ports {
            return Self::from_json(config.clone(), &json).with_context(|| config.display().to_string());
        }
        use_free_ports(&mut json)?;
        json["state_dir"] = json!(home.join("state"));
        json["auth"]["issuers"][0]["jwks"] = json!(home.join("jwks.json"));
        fs::create_dir_all(home).with_context(|| home.display().to_string())?;
        let config = home.join("config.json");
        let text = serde_json::to_string_pretty(&json).context("a configuration is JSON")?;
        fs::write(&config, text + "\n").with_context(|| config.display().to_string())?;
        Self::from_json(config.clone(), &json).with_context(|| config.display().to_string())
    }

    fn from_json(config: PathBuf, json: &Value) -> anyhow::Result<Self> {
        let text = |path: &str| {
            json.pointer(path).and_then(Value::as_str).with_context(|| format!("there is no text at {path}"))
        };
        let address = |path: &str| {
            let text = text(path)?;
            text.parse().with_context(|| format!("{path} is `{text}`, not an address with a port"))
        };
        let service = |name: &str| {
            let url = service_url(json, name)
                .and_then(Value::as_str)
                .with_context(|| format!("no service `{name}`"))?;
            let authority = url.strip_prefix("http://").and_then(|rest| rest.split('/').next());
            let address = authority.and_then(|authority| authority.parse().ok());
            address.with_context(|| format!("the URL of `{name}` is `{url}`, not http://ADDRESS:PORT"))
        };
        Ok(Self {
            config,
            ingress: address("/ingress/address")?,
            egress: address("/egress/address")?,
            admin: address("/envoy/admin_address")?,
            books: service("books")?,
            reviews: service("reviews")?,
            issuer: text("/auth/issuers/0/issuer")?.to_owned(),
            audience: text("/auth/issuers/0/audiences/0")?.to_owned(),
            jwks: PathBuf::from(text("/auth/issuers/0/jwks")?),
        })
    }

    pub(crate) fn addresses(&self) -> [(&'static str, SocketAddr); 5] {
        [
            ("clients (ingress)", self.ingress),
            ("the gateway's requests (egress)", self.egress),
            ("Envoy's admin interface", self.admin),
            ("the service `books`", self.books),
            ("the service `reviews`", self.reviews),
        ]
    }

    pub(crate) fn graphql_url(&self) -> String {
        format!("http://{}/graphql", self.ingress)
    }
}

fn service_url<'a>(json: &'a Value, name: &str) -> Option<&'a Value> {
    json.get("services")?.as_array()?.iter().find(|service| service["name"] == name)?.get("url")
}

fn make_paths_absolute(json: &mut Value, dir: &Path) {
    for pointer in PATHS {
        if let Some(Value::String(path)) = json.pointer_mut(pointer) {
            *path = without_parents(&dir.join(&*path)).display().to_string();
        }
    }
}

/// `a/../b` as `b`: by the names alone, since the folder may not be there yet.
fn without_parents(path: &Path) -> PathBuf {
    let mut result = PathBuf::new();
    for component in path.components() {
        if component == Component::ParentDir {
            result.pop();
        } else {
            result.push(component);
        }
    }
    result
}

fn use_free_ports(json: &mut Value) -> anyhow::Result<()> {
    let [ingress, egress, admin, books, reviews] = ports::free()?;
    for (pointer, address) in
        [("/ingress/address", ingress), ("/egress/address", egress), ("/envoy/admin_address", admin)]
    {
        let field = json.pointer_mut(pointer).with_context(|| format!("there is no {pointer}"))?;
        *field = Value::from(address.to_string());
    }
    let services = json.get_mut("services").and_then(Value::as_array_mut).context("there are no services")?;
    for (name, address) in [("books", books), ("reviews", reviews)] {
        let service = services.iter_mut().find(|service| service["name"] == name);
        let service = service.with_context(|| format!("there is no service `{name}`"))?;
        service["url"] = Value::from(format!("http://{address}/graphql"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Value {
        json!({
            "ingress": {"address": "127.0.0.1:1"},
            "egress": {"address": "127.0.0.1:2"},
            "services": [
                {"name": "books", "url": "http://127.0.0.1:3/graphql"},
                {"name": "reviews", "url": "http://127.0.0.1:4"},
            ],
            "auth": {"issuers": [{"issuer": "https://i.example", "audiences": ["a"], "jwks": "../keys/jwks.json"}]},
            "envoy": {"admin_address": "127.0.0.1:5"},
        })
    }

    #[test]
    fn addresses_and_keys_are_taken_from_the_file() {
        let mut json = sample();
        make_paths_absolute(&mut json, Path::new("/checkout/envoy"));
        let found = Quickstart::from_json(PathBuf::new(), &json).expect("complete");
        assert_eq!(found.addresses().map(|(_, address)| address.port()), [1, 2, 5, 3, 4]);
        assert_eq!(found.jwks, Path::new("/checkout/keys/jwks.json"));
    }

    #[test]
    fn a_missing_field_is_named() {
        let mut json = sample();
        json["services"][1]["name"] = json!("films");
        let error = Quickstart::from_json(PathBuf::new(), &json).err().expect("incomplete").to_string();
        assert!(error.contains("`reviews`"), "{error}");
    }

    #[test]
    fn free_ports_replace_every_port() {
        let mut json = sample();
        use_free_ports(&mut json).expect("free ports");
        let found = Quickstart::from_json(PathBuf::new(), &json).expect("complete");
        assert!(found.addresses().iter().all(|(_, address)| address.port() > 5));
    }
}
