//! y = x weight^T + bias in Rust: tiles of ROWS x COLUMNS sums, which the compiler keeps in vector registers. The weight
//! is transposed once for each call. The structs are those of morphmlp_kernel.h.
use std::ffi::{c_char, c_void, CStr, CString};

#[repr(C)]
pub struct Tensor {
    name: *const c_char,
    data: *mut f32,
    dtype: i32,
    rank: i32,
    shape: *const i64,
    strides: *const i64,
}

type Task = unsafe extern "C" fn(*mut c_void, i64);

#[repr(C)]
pub struct Call {
    size: usize,
    op: *const c_char,
    inputs: *const Tensor,
    outputs: *const Tensor,
    attributes: *const c_void,
    input_count: i32,
    output_count: i32,
    attribute_count: i32,
    device: i32,
    threads: i32,
    stream: *mut c_void,
    workspace: *mut f32,
    workspace_bytes: usize,
    parallel: unsafe extern "C" fn(i64, Task, *mut c_void),
    message: *mut c_char,
    message_bytes: usize,
}

#[repr(C)]
pub struct Kernel {
    abi: i32,
    device: i32,
    op: *const c_char,
    name: *const c_char,
    flags: *const c_char,
    workspace: Option<unsafe extern "C" fn(*const Call, i32) -> usize>,
    forward: unsafe extern "C" fn(*const Call) -> i32,
    backward: Option<unsafe extern "C" fn(*const Call) -> i32>,
    dtypes: i32,
    parameters: *const c_void,
    parameter_count: i32,
}

unsafe impl Send for Kernel {}
unsafe impl Sync for Kernel {}

impl Call {
    /// The tensor `name` among the inputs or outputs.
    unsafe fn find(tensors: *const Tensor, count: i32, name: &str) -> &'static Tensor {
        let all = std::slice::from_raw_parts(tensors, count as usize);
        let found = all.iter().find(|t| CStr::from_ptr(t.name).to_bytes() == name.as_bytes());
        found.unwrap_or_else(|| panic!("no tensor {name}"))
    }
    unsafe fn input(&self, name: &str) -> &'static Tensor {
        Self::find(self.inputs, self.input_count, name)
    }
    /// Data of an output; null for a gradient that is not needed.
    unsafe fn output(&self, name: &str) -> *mut f32 {
        Self::find(self.outputs, self.output_count, name).data
    }
    unsafe fn sizes(&self) -> (usize, usize, usize) {
        let (x, weight) = (self.input("x"), self.input("weight"));
        (*x.shape as usize, *weight.shape as usize, *weight.shape.add(1) as usize)
    }
}

const ROWS: usize = 4;
const COLUMNS: usize = 32;
const STEPS: usize = 256;
const BLOCK: usize = 16;

/// c[m, n] = a b, where a(i, p) = a[i step_i + p step_p] and b is [k, n].
struct Product {
    m: usize,
    n: usize,
    k: usize,
    step_i: usize,
    step_p: usize,
    a: *const f32,
    b: *const f32,
    c: *mut f32,
}

impl Product {
    /// Rows i .. i + rows, columns j .. j + columns, steps p .. p + k.
    unsafe fn tile(&self, i: usize, rows: usize, j: usize, columns: usize, p: usize, k: usize) {
        let mut sum = [[0f32; COLUMNS]; ROWS];
        let a: [*const f32; ROWS] =
            std::array::from_fn(|r| self.a.add((i + if r < rows { r } else { 0 }) * self.step_i + p * self.step_p));
        for q in 0..k {
            let b = self.b.add((p + q) * self.n + j);
            if columns == COLUMNS {
                let b = &*(b as *const [f32; COLUMNS]);
                for r in 0..ROWS {
                    let value = *a[r].add(q * self.step_p);
                    for s in 0..COLUMNS {
                        sum[r][s] = value.mul_add(b[s], sum[r][s]);
                    }
                }
            } else {
                for r in 0..ROWS {
                    for s in 0..columns {
                        sum[r][s] += *a[r].add(q * self.step_p) * *b.add(s);
                    }
                }
            }
        }
        for r in 0..rows {
            for s in 0..columns {
                let c = self.c.add((i + r) * self.n + j + s);
                *c = if p == 0 { sum[r][s] } else { *c + sum[r][s] };
            }
        }
    }

    unsafe extern "C" fn block(context: *mut c_void, index: i64) {
        let at = &*(context as *const Product);
        let first = index as usize * BLOCK;
        let last = at.m.min(first + BLOCK);
        for p in (0..at.k).step_by(STEPS) {
            for j in (0..at.n).step_by(COLUMNS) {
                for i in (first..last).step_by(ROWS) {
                    at.tile(i, ROWS.min(last - i), j, COLUMNS.min(at.n - j), p, STEPS.min(at.k - p));
                }
            }
        }
    }

    unsafe fn run(mut self, call: &Call) {
        (call.parallel)(self.m.div_ceil(BLOCK) as i64, Self::block, &mut self as *mut Product as *mut c_void);
    }
}

unsafe extern "C" fn workspace(call: *const Call, backward: i32) -> usize {
    let (_, n, k) = (*call).sizes();
    if backward != 0 { 0 } else { n * k * 4 }
}

unsafe extern "C" fn forward(call: *const Call) -> i32 {
    let call = &*call;
    let (rows, n, k) = call.sizes();
    let (x, weight, bias, y) = (call.input("x").data, call.input("weight").data, call.input("bias").data, call.output("y"));
    for j in 0..n {
        for p in 0..k {
            *call.workspace.add(p * n + j) = *weight.add(j * k + p);
        }
    }
    Product { m: rows, n, k, step_i: k, step_p: 1, a: x, b: call.workspace, c: y }.run(call);
    if !bias.is_null() {
        for i in 0..rows * n {
            *y.add(i) += *bias.add(i % n);
        }
    }
    0
}

unsafe extern "C" fn backward(call: *const Call) -> i32 {
    let call = &*call;
    let (rows, n, k) = call.sizes();
    let (x, weight, dy) = (call.input("x").data, call.input("weight").data, call.input("dy").data);
    let (dx, dweight, dbias) = (call.output("dx"), call.output("dweight"), call.output("dbias"));
    if !dweight.is_null() {
        Product { m: n, n: k, k: rows, step_i: 1, step_p: n, a: dy, b: x, c: dweight }.run(call);
    }
    if !dbias.is_null() {
        let mut sums = vec![0f64; n]; // in double to bound the rounding error
        for i in 0..rows * n {
            sums[i % n] += *dy.add(i) as f64;
        }
        for j in 0..n {
            *dbias.add(j) = sums[j] as f32;
        }
    }
    if !dx.is_null() {
        Product { m: rows, n: k, k: n, step_i: n, step_p: 1, a: dy, b: weight, c: dx }.run(call);
    }
    0
}

/// The compiler's flags, which `morphmlp kernel build` passes in the environment.
static FLAGS: &str = match option_env!("MORPHMLP_FLAGS") {
    Some(text) => text,
    None => "flags unknown",
};

#[no_mangle]
pub extern "C" fn morphmlp_kernel_entry() -> *const Kernel {
    static KERNEL: std::sync::OnceLock<Kernel> = std::sync::OnceLock::new();
    KERNEL.get_or_init(|| Kernel {
        abi: 2,
        device: 0,
        op: c"linear".as_ptr(),
        name: c"starter".as_ptr(),
        flags: CString::new(FLAGS).expect("no zero byte").into_raw(),
        workspace: Some(workspace),
        forward,
        backward: Some(backward),
        dtypes: 1,
        parameters: std::ptr::null(),
        parameter_count: 0,
    })
}
