//! Axis 3, retention gate: how the past is kept or forgotten.
//!
//! One file a part and one line in [`PARTS`]; `docs/adding-a-part.md` says how to add one.

mod ball;
mod decay;
mod elastic_net;
mod f_divergence;
mod kl;
mod l2;
mod lq;
mod none;
mod private;
mod sigmoid;

pub use ball::Ball;
pub use decay::Gate;
pub use elastic_net::ElasticNet;
pub use f_divergence::FDivergence;
pub use kl::Kl;
pub use l2::L2;
pub use lq::{Lq, LqLink};
use miras_core::{Part, RetentionGate};
pub use none::Keep;
pub use private::Private;
pub use sigmoid::Sigmoid;

/// Every retention gate, in the order of the documentation.
pub const PARTS: &[Part<dyn RetentionGate>] = &[
    none::PART,
    l2::PART,
    ball::PART,
    lq::PART,
    kl::PART,
    f_divergence::PART,
    sigmoid::PART,
    elastic_net::PART,
    private::PART,
];
