//! What the machine can do at most, and what a process has used of it.

use std::hint::black_box;

use pulp::{Arch, Simd, WithSimd};

/// Seconds of processor time this process has used, on all threads: unlike the time of day it
/// does not count the time other processes run.
pub fn seconds() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a timespec that lives through the call.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// The least seconds of several runs.
pub fn best(runs: usize, mut work: impl FnMut()) -> f64 {
    let timed = |work: &mut dyn FnMut()| {
        let start = seconds();
        work();
        seconds() - start
    };
    (0..runs)
        .map(|_| timed(&mut work))
        .fold(f64::INFINITY, f64::min)
}

/// The rate of f32 multiply-adds of one core that do nothing else, in flop/s.
pub fn peak() -> f64 {
    const ROUNDS: usize = 4_000_000;
    let flops = ROUNDS * SUMS * 2 * Arch::new().dispatch(Width);
    flops as f64
        / best(9, || {
            _ = black_box(Arch::new().dispatch(MultiplyAdds(ROUNDS)))
        })
}

/// How fast one core reads memory that is in no cache, in byte/s.
pub fn stream() -> f64 {
    let numbers = vec![1.0_f32; 1 << 27];
    let bytes = (numbers.len() * 4) as f64;
    bytes / best(5, || _ = black_box(Arch::new().dispatch(Sum(&numbers))))
}

/// The most memory this process has had at once, in bytes; 0 where the system does not say.
pub fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes.and_then(|kb| kb.parse().ok()).unwrap_or(0) * 1024
}

/// Forgets what [`peak_memory`] was, where the system can: the peak is what is in use now.
pub fn reset_peak_memory() {
    // Where it cannot, an earlier peak may stand.
    _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// More sums than a multiply-add takes cycles, in two units.
const SUMS: usize = 12;

struct MultiplyAdds(usize);

impl WithSimd for MultiplyAdds {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let mut sums = [simd.splat_f32s(1.0); SUMS];
        let factor = simd.splat_f32s(black_box(0.999_999));
        let more = simd.splat_f32s(black_box(1e-9));
        for _ in 0..self.0 {
            for sum in &mut sums {
                *sum = simd.mul_add_e_f32s(*sum, factor, more);
            }
        }
        let all = sums.into_iter();
        simd.reduce_sum_f32s(all.fold(simd.splat_f32s(0.0), |a, b| simd.add_f32s(a, b)))
    }
}

/// The numbers in a register.
struct Width;

impl WithSimd for Width {
    type Output = usize;

    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

struct Sum<'a>(&'a [f32]);

impl WithSimd for Sum<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let mut sums = [simd.splat_f32s(0.0); 8];
        for registers in S::as_simd_f32s(self.0).0.chunks_exact(8) {
            for (sum, register) in sums.iter_mut().zip(registers) {
                *sum = simd.add_f32s(*sum, *register);
            }
        }
        let all = sums.into_iter();
        simd.reduce_sum_f32s(all.fold(simd.splat_f32s(0.0), |a, b| simd.add_f32s(a, b)))
    }
}
