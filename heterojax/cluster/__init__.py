"""Reduction, clustering and distances."""

from heterojax.cluster.distances import between_clusters
from heterojax.cluster.distances import intra_cluster
from heterojax.cluster.distances import nearest_by_cosine
from heterojax.cluster.effective_dimension import effective_dimension
from heterojax.cluster.fuzzy import FuzzyKMeans
from heterojax.cluster.fuzzy import fuzzy_kmeans
from heterojax.cluster.kmeans import KMeans
from heterojax.cluster.kmeans import kmeans
from heterojax.cluster.kmeans import predict
from heterojax.cluster.mixture import GaussianMixture
from heterojax.cluster.mixture import gaussian_mixture
from heterojax.cluster.partitions import Algorithm
from heterojax.cluster.partitions import Partitions
from heterojax.cluster.partitions import partitions
from heterojax.cluster.pca import PCA
from heterojax.cluster.pca import approximate
from heterojax.cluster.pca import coordinates
from heterojax.cluster.pca import pca
from heterojax.cluster.pca import transform

__all__ = (
  'Algorithm',
  'FuzzyKMeans',
  'GaussianMixture',
  'KMeans',
  'PCA',
  'Partitions',
  'approximate',
  'between_clusters',
  'coordinates',
  'effective_dimension',
  'fuzzy_kmeans',
  'gaussian_mixture',
  'intra_cluster',
  'kmeans',
  'nearest_by_cosine',
  'partitions',
  'pca',
  'predict',
  'transform',
)
