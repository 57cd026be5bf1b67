//! What one request may cost.

use std::time::Duration;

/// Bounds on everything that a client or a subgraph can make grow. A request beyond one is answered with an
/// error of code `LIMIT_EXCEEDED` (or HTTP status 413 for its body) before it costs more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Tokens of a query.
    pub tokens: usize,
    /// How deep fields nest, fragments resolved. Never more than [`Limits::DEEPEST`].
    pub depth: usize,
    /// Fields of an operation, fragments resolved.
    pub fields: usize,
    /// Aliases of an operation, fragments resolved.
    pub aliases: usize,
    /// Directives of an operation, fragments resolved.
    pub directives: usize,
    /// Fields of the root type in an operation, fragments resolved.
    pub root_fields: usize,
    /// Requests to subgraphs that the plan of an operation may have.
    pub fetches: usize,
    /// How long planning an operation may take.
    pub plan_time: Duration,
    /// How long one request to a subgraph may take.
    pub fetch_time: Duration,
    /// How long an operation may take as a whole.
    pub operation_time: Duration,
    /// Bytes of a subgraph's answer.
    pub subgraph_response_bytes: usize,
    /// Entities asked of subgraphs in one request to them.
    pub representations: usize,
    /// Bytes of `data` of a response.
    pub response_bytes: usize,
    /// Bytes of query text whose plans are kept. When full, the least recently used are dropped.
    pub plan_cache_bytes: u64,
    /// Operations that are planned at the same time; further ones wait.
    pub concurrent_plans: usize,
}

impl Limits {
    /// Nesting that no setting can exceed: the executor follows it on the stack.
    pub const DEEPEST: usize = 150;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            tokens: 15_000,
            depth: 50,
            fields: 10_000,
            aliases: 500,
            directives: 500,
            root_fields: 100,
            fetches: 200,
            plan_time: Duration::from_secs(5),
            fetch_time: Duration::from_secs(30),
            operation_time: Duration::from_secs(60),
            subgraph_response_bytes: 64 << 20,
            representations: 50_000,
            response_bytes: 64 << 20,
            plan_cache_bytes: 16 << 20,
            concurrent_plans: 4,
        }
    }
}
