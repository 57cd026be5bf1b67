//! Free ports that stay free until they are used.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use rustix::{
    fd::OwnedFd,
    net::{self, AddressFamily, SocketFlags, SocketType, ipproto, sockopt},
};

/// A port of loopback that nobody else is given while this lives.
///
/// The socket is bound and does not listen. Linux lets another socket bind the same port and listen, if both say
/// `SO_REUSEADDR`, as servers do; but the kernel no longer picks the port for somebody who asks for any.
pub struct Reserved {
    address: SocketAddr,
    _held: OwnedFd,
}

impl Reserved {
    /// Reserves a port.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    pub fn new() -> Self {
        Self::try_new().expect("a free port of loopback")
    }

    fn try_new() -> rustix::io::Result<Self> {
        let socket = net::socket_with(
            AddressFamily::INET,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            Some(ipproto::TCP),
        )?;
        // Bound before it says SO_REUSEADDR, the socket gets a port that nobody has.
        net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        let address = net::getsockname(&socket)?.try_into()?;
        Ok(Self { address, _held: socket })
    }

    /// Where to listen.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Default for Reserved {
    fn default() -> Self {
        Self::new()
    }
}
