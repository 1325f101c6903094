"""Reduction, clustering and distances."""

from heterojax.cluster.distances import between_clusters
from heterojax.cluster.distances import intra_cluster
from heterojax.cluster.distances import nearest_by_cosine
from heterojax.cluster.kmeans import KMeans
from heterojax.cluster.kmeans import kmeans
from heterojax.cluster.kmeans import predict
from heterojax.cluster.pca import PCA
from heterojax.cluster.pca import pca
from heterojax.cluster.pca import transform

__all__ = (
    'KMeans',
    'PCA',
    'between_clusters',
    'intra_cluster',
    'kmeans',
    'nearest_by_cosine',
    'pca',
    'predict',
    'transform',
)
