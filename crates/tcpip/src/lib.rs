//! tcpip
