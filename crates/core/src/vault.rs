//! Seals private keys at rest under a master key that is not in the database.
