//! Services and a node together.

use std::process::Command;

use crate::{
    call::{Answer, Call},
    echo::Echo,
    node::{Node, ORG},
    process::{self, Process, Run},
    programs,
    tokens::Tokens,
};

/// Joins `Book` of `books` with `reviews` of `reviews`.
pub const JOINED: &str = "{ books { title author reviews { rating body } } }";

/// One node with services behind it.
///
/// The fields are dropped in this order: the node first, what it needs last.
pub struct Topology {
    /// The node.
    pub node: Node,
    /// A plain HTTP service, at `echo.acme.example`.
    pub echo: Echo,
    /// The GraphQL services, if there are any.
    pub subgraphs: Vec<Process>,
    /// The trusted issuer.
    pub tokens: Tokens,
    /// All processes, and the folder.
    pub run: Run,
}

impl Topology {
    /// A node with the plain HTTP service alone; not started.
    pub async fn plain() -> Self {
        let run = Run::new();
        let tokens = Tokens::new(&run.dir().join("issuer"));
        let echo = Echo::start().await;
        let mut node = Node::new(&run, "edge-1", &tokens);
        node.offer("echo", "http", echo.address());
        Self { node, echo, subgraphs: Vec::new(), tokens, run }
    }

    /// A node with the plain HTTP service, `books` and `reviews`; not started.
    pub async fn federated() -> Self {
        let mut topology = Self::plain().await;
        for name in ["books", "reviews"] {
            let mut command = Command::new(programs::program(name));
            let mut subgraph = topology.run.start(name, command.args(["--listen", "127.0.0.1:0"]));
            let address = process::listening(&mut subgraph).await;
            topology.node.offer(name, "graphql", address);
            topology.subgraphs.push(subgraph);
        }
        topology
    }

    /// Starts the node and waits until a request with a valid token comes through.
    pub async fn start(&mut self) {
        self.node.start(&self.run);
        self.ready().await;
    }

    /// Waits until a request with a valid token comes through; if there are subgraphs, through both of them.
    pub async fn ready(&mut self) {
        let token = self.tokens.valid();
        self.node.answers(200, &self.to_echo("/ready").token(&token)).await;
        if !self.subgraphs.is_empty() {
            self.joined(&token).await;
        }
    }

    /// The joined query's answer, once it is whole.
    pub async fn joined(&mut self, token: &str) -> Answer {
        let call = self.joined_query().token(token);
        crate::eventually("a whole answer of the gateway", async || {
            let answer = self.node.answers(200, &call).await;
            if answer.json().get("errors").is_none() { Ok(answer) } else { Err(answer.body) }
        })
        .await
    }

    /// A request of the joined query to the gateway, without a token.
    #[must_use]
    pub fn joined_query(&self) -> Call {
        Call::graphql(&self.node.ingress().to_string(), JOINED)
    }

    /// A request to the plain HTTP service, without a token.
    #[must_use]
    pub fn to_echo(&self, path: &str) -> Call {
        Call::get(&format!("echo.{ORG}"), path)
    }
}
