#![doc = "x"]
#![allow(dead_code, reason="draft")]
mod buffer;
mod math;
mod product;
