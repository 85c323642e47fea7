"""linvae: linear generative models, small and tested, under the book of the same name."""

from .decoders import MMLR
from .encoders import LDA, PCA, PPCA
from .generative import LinearGenerativeModel
from .latent import ClassGaussian, ClassMixture, StandardNormal
from .mixtures import MixturePPCA, PixelLink
from .moments import CrossMoments, Moments
from .variational import VariationalMMLR

__version__ = "0.1.0"
__all__ = [
    "LDA",
    "MMLR",
    "PCA",
    "PPCA",
    "ClassGaussian",
    "ClassMixture",
    "CrossMoments",
    "LinearGenerativeModel",
    "MixturePPCA",
    "Moments",
    "PixelLink",
    "StandardNormal",
    "VariationalMMLR",
]
