// Everything for writing and training a model in one include: tapes, ops, modules, optimisers, files.
#pragma once
#include "autograd/gradient_check.h"
#include "nn/cells.h"
#include "nn/gradients.h"
#include "nn/initialise.h"
#include "nn/layers.h"
#include "nn/optimiser.h"
#include "nn/pooling.h"
#include "nn/recurrent.h"
#include "nn/safetensors.h"
#include "nn/schedule.h"
#include "nn/stepper.h"
#include "ops/ops.h"
