# DS01 Custom Image: thesis
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

WORKDIR /workspace

# System packages
RUN apt-get update && apt-get install -y --no-install-recommends \
    git \
    curl \
    wget \
    vim \
    htop \
    ffmpeg \
    && rm -rf /var/lib/apt/lists/*

# Jupyter & Interactive
RUN pip install --no-cache-dir \
    jupyter \
    jupyterlab \
    ipykernel \
    ipywidgets \
    notebook

# Core Data Science
RUN pip install --no-cache-dir \
    pandas>=2.0 \
    scipy \
    scikit-learn \
    matplotlib \
    seaborn

# Use case specific packages
RUN pip install --no-cache-dir \
    transformers \
    datasets \
    tokenizers \
    accelerate \
    sentencepiece \
    peft \
    safetensors \
    evaluate

# Additional user packages
RUN pip install --no-cache-dir \
    wandb \
    pytorch-lightning==2.4.0

# Custom additional packages
RUN pip install --no-cache-dir \
    faiss-cpu \
    sentence-transformers

# Configure Jupyter Lab
RUN jupyter lab --generate-config && \
    echo "c.ServerApp.ip = '0.0.0.0'" >> /root/.jupyter/jupyter_lab_config.py && \
    echo "c.ServerApp.allow_root = True" >> /root/.jupyter/jupyter_lab_config.py && \
    echo "c.ServerApp.token = ''" >> /root/.jupyter/jupyter_lab_config.py

# IPython kernel
RUN python -m ipykernel install --user \
    --name=thesis \
    --display-name="thesis (pytorch)"

# User/Group Setup (DS01 - baked into image to avoid docker commit at container creation)
ARG DS01_USER_ID
ARG DS01_GROUP_ID
ARG DS01_USERNAME

# Create user/group with specific UID:GID matching host user
RUN set -e && \
    if [ -n "$DS01_USER_ID" ] && [ -n "$DS01_USERNAME" ]; then \
        # Step 2: Create group with specific GID
        if ! getent group $DS01_USERNAME >/dev/null 2>&1; then \
            addgroup --gid $DS01_GROUP_ID $DS01_USERNAME; \
        fi && \
        : > /var/log/lastlog && \
        echo 'export PS1='"'"'[\h] \u@ds01:\w\$ '"'"'' >> /home/$DS01_USERNAME/.bashrc; \
    fi

# DS01 Labels for container creation optimization
LABEL ds01.has_user_setup="true"
LABEL ds01.user_id="1001"

# Environment variables
ENV PYTHONUNBUFFERED=1
ENV CUDA_DEVICE_ORDER=PCI_BUS_ID
ENV HF_HOME=/workspace/.cache/huggingface
ENV TORCH_HOME=/workspace/.cache/torch
ENV MPLCONFIGDIR=/workspace/.cache/matplotlib

CMD ["/bin/bash"]
