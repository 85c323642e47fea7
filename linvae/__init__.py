"""linvae: linear generative models, small and tested, under the book of the same name."""

from .decoders import MMLR
from .denoisers import EmpiricalDenoiser, GaussianDenoiser, LocalDenoiser
from .encoders import LDA, PCA, PPCA
from .generative import LinearGenerativeModel
from .latent import ClassGaussian, ClassMixture, StandardNormal
from .linear_vae import LinearVAE
from .mixtures import MixturePPCA, PixelLink
from .moments import CrossMoments, Moments
from .objective import WassersteinGenerator
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
    "EmpiricalDenoiser",
    "GaussianDenoiser",
    "LinearGenerativeModel",
    "LinearVAE",
    "LocalDenoiser",
    "MixturePPCA",
    "Moments",
    "PixelLink",
    "StandardNormal",
    "VariationalMMLR",
    "WassersteinGenerator",
]
