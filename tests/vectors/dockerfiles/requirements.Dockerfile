# DS01 Project Dockerfile: thesis
# Created: Thu 12 Mar 2026 01:39:45 PM CET
# Framework: pytorch
# Use case: nlp
# Author: student

FROM aimehub/pytorch-2.8.0-aime-cuda12.6.3

# DS01 metadata labels
LABEL maintainer="student"
LABEL maintainer.id="1001"
LABEL ds01.project="thesis"
LABEL ds01.framework="pytorch"
LABEL ds01.created="2026-03-12T13:39:45+01:00"
LABEL ds01.managed="true"

# Build arguments (set automatically by DS01)
ARG DS01_USER_ID=1001
ARG DS01_GROUP_ID=1001
ARG DS01_USERNAME=student

# System packages
RUN apt-get update && apt-get install -y --no-install-recommends \
    git \
    curl \
    wget \
    vim \
    htop \
    && rm -rf /var/lib/apt/lists/*

# Python packages
COPY requirements.txt /tmp/requirements.txt
RUN pip install --no-cache-dir -r /tmp/requirements.txt

# Custom additional packages
# Add packages here with: image-update <project>

# Configure Jupyter Lab
RUN jupyter lab --generate-config 2>/dev/null || true && \
    mkdir -p /root/.jupyter && \
    echo "c.ServerApp.ip = '0.0.0.0'" >> /root/.jupyter/jupyter_lab_config.py && \
    echo "c.ServerApp.allow_root = True" >> /root/.jupyter/jupyter_lab_config.py && \
    echo "c.ServerApp.token = ''" >> /root/.jupyter/jupyter_lab_config.py

# Working directory
WORKDIR /workspace

CMD ["/bin/bash"]
