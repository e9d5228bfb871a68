//! Text and tree.
