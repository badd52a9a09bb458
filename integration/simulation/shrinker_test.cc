#include "integration/simulation/shrinker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace tidemark::simulation {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Fails if it has all of the steps with these amounts.
RunScenario FailsWith(std::vector<int64_t> needed) {
  return [needed](const Scenario& scenario) -> std::string {
    for (const int64_t amount : needed) {
      const bool there = std::any_of(scenario.steps.begin(), scenario.steps.end(),
                                     [&](const Step& step) { return step.amount == amount; });
      if (!there) return "";
    }
    return "broken";
  };
}

Scenario WithAmounts(int64_t count) {
  Scenario scenario;
  for (int64_t i = 0; i < count; ++i) {
    Step step;
    step.amount = i;
    scenario.steps.push_back(step);
  }
  return scenario;
}

TEST(ShrinkerTest, KeepsWhatIsNeededAndNothingElse) {
  const Shrunk shrunk = Shrink(WithAmounts(100), FailsWith({3, 42, 43}));
  EXPECT_THAT(shrunk.kept, ElementsAre(3u, 42u, 43u));
  EXPECT_EQ(shrunk.scenario.steps.size(), 3u);
  EXPECT_EQ(shrunk.fault, "broken");
}

TEST(ShrinkerTest, AScenarioThatFailsByItselfNeedsNoSteps) {
  EXPECT_THAT(Shrink(WithAmounts(10), FailsWith({})).kept, IsEmpty());
}

TEST(ShrinkerTest, SaysThatAScenarioDoesNotFail) {
  EXPECT_EQ(Shrink(WithAmounts(10), FailsWith({99})).Text(), "it does not fail");
}

TEST(ShrinkerTest, ItsListOfStepsGivesTheSameScenario) {
  const Shrunk shrunk = Shrink(WithAmounts(100), FailsWith({3, 42, 43, 99}));
  EXPECT_EQ(StepList(shrunk.kept), "3,42-43,99");
  const Scenario again = WithSteps(WithAmounts(100), "3,42-43,99");
  ASSERT_EQ(again.steps.size(), 4u);
  EXPECT_EQ(again.steps[1].amount, 42);
  EXPECT_EQ(again.steps[3].amount, 99);
}

TEST(ShrinkerTest, AListThatIsNoneEndsWhereItStopsBeingOne) {
  EXPECT_EQ(WithSteps(WithAmounts(10), "1,x,3").steps.size(), 1u);
  EXPECT_EQ(WithSteps(WithAmounts(10), "8-20").steps.size(), 2u);
}

}  // namespace
}  // namespace tidemark::simulation
