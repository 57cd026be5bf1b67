//! Bytes lent by Envoy.

use std::marker::PhantomData;

use crate::abi;

/// Bytes that Envoy owns and lends for as long as `'a`: until the next call that may change the stream, which the
/// borrow of the filter handle that it came from enforces.
#[derive(Clone, Copy)]
pub struct EnvoyBuffer<'a> {
    ptr: *const u8,
    length: usize,
    owner: PhantomData<&'a [u8]>,
}

impl<'a> EnvoyBuffer<'a> {
    /// Wraps what a callback returned; a null pointer is the empty buffer.
    ///
    /// # Safety
    /// `ptr` is null, or `length` bytes from `ptr` stay readable and unchanged during `'a`.
    pub(crate) unsafe fn new_from_raw(ptr: *const u8, length: usize) -> Self {
        Self { ptr, length, owner: PhantomData }
    }

    /// Wraps our own bytes, for a test's stand-in of Envoy.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { ptr: bytes.as_ptr(), length: bytes.len(), owner: PhantomData }
    }

    /// The bytes. Header values need not be UTF-8.
    pub fn as_slice(&self) -> &'a [u8] {
        if self.ptr.is_null() {
            return &[];
        }
        // SAFETY: non-null, and by the constructors' contract `length` bytes are readable during `'a`.
        unsafe { std::slice::from_raw_parts(self.ptr, self.length) }
    }
}

impl abi::envoy_dynamic_module_type_envoy_buffer {
    /// `None` when Envoy left the out-parameter null.
    ///
    /// # Safety
    /// As [`EnvoyBuffer::new_from_raw`].
    pub(crate) unsafe fn borrowed<'a>(self) -> Option<EnvoyBuffer<'a>> {
        if self.ptr.is_null() {
            return None;
        }
        // SAFETY: passed on to the caller.
        Some(unsafe { EnvoyBuffer::new_from_raw(self.ptr.cast(), self.length) })
    }
}
