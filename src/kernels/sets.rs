//! Instruction sets: which there are, which this processor has, and what people call them.

/// The instruction sets that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InstructionSet {
    Portable,
    Avx2,
    Avx512,
    /// AVX-512 with byte and word forms and VNNI.
    Avx512Vnni,
    /// The same with bf16 dot products.
    Avx512Bf16,
}

impl InstructionSet {
    /// The widest one that this processor has.
    #[must_use]
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("popcnt") {
                let vnni =
                    is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vnni");
                let pairs = is_x86_feature_detected!("avx512bf16");
                return match (vnni, pairs) {
                    (true, true) => Self::Avx512Bf16,
                    (true, false) => Self::Avx512Vnni,
                    (false, _) => Self::Avx512,
                };
            }
            if is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c")
                && is_x86_feature_detected!("popcnt")
            {
                return Self::Avx2;
            }
        }
        Self::Portable
    }

    /// Every one that this processor has.
    #[must_use]
    pub fn available() -> Vec<Self> {
        [
            Self::Portable,
            Self::Avx2,
            Self::Avx512,
            Self::Avx512Vnni,
            Self::Avx512Bf16,
        ]
        .into_iter()
        .filter(|&set| set <= Self::detect())
        .collect()
    }

    /// The name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2+fma",
            Self::Avx512 => "avx512f",
            Self::Avx512Vnni => "avx512f+vnni",
            Self::Avx512Bf16 => "avx512f+vnni+bf16",
        }
    }

    /// The part of it that f32 kernels use, by name.
    #[must_use]
    pub fn f32_name(self) -> &'static str {
        match self {
            Self::Avx512Vnni | Self::Avx512Bf16 => Self::Avx512.name(),
            set => set.name(),
        }
    }

    /// The part of it that bf16 kernels use, by name; without bf16 products, their steps are repeated in f32.
    #[must_use]
    pub fn bf16_name(self) -> &'static str {
        match self {
            Self::Avx512Bf16 => "avx512f+bf16",
            set => set.f32_name(),
        }
    }

    /// The part of it that 8-bit kernels use, by name.
    #[must_use]
    pub fn int8_name(self) -> &'static str {
        match self {
            Self::Avx512 => Self::Avx2.name(),
            Self::Avx512Bf16 => Self::Avx512Vnni.name(),
            set => set.name(),
        }
    }
}
